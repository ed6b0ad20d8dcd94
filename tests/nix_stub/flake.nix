# A stand-in for nixpkgs with just the functions that ../../flake.nix calls, so that tests/flake.rs can evaluate the
# flake, and run its apps, with no network. Each function keeps the contract of its namesake and refuses what the real
# one refuses. A package is a derivation that keeps its arguments under `recorded`; where it names a main program, it
# really builds, with a script in that program's place that prints how it was called.
{
  description = "A stand-in for nixpkgs";

  outputs =
    { self }:
    let
      lib = import ./lib.nix;

      # name, version, script, and what the caller gave.
      package =
        system: name: script: recorded:
        derivation {
          inherit name system;
          builder = "/bin/sh";
          args = [
            "-c"
            script
          ];
          # Everything that a build would read has to be a string, a path or a derivation.
          inputs = map toString (recorded.nativeBuildInputs or [ ]);
          src = toString (recorded.src or "");
        }
        // {
          inherit recorded;
          meta = recorded.meta or { };
          version = recorded.version or "0";
        };

      empty = "echo > $out";
      # No `mkdir` or `chmod` is sure to be in a build's PATH, so that they are called where every Linux has them.
      programScript = name: ''
        export PATH=/bin:/usr/bin:/run/current-system/sw/bin
        mkdir -p "$out/bin"
        printf '#!/bin/sh\necho ${name} "$@"\n' > "$out/bin/${name}"
        chmod +x "$out/bin/${name}"
      '';

      packagesFor =
        system:
        let
          tool = name: package system name empty { meta.mainProgram = name; };
        in
        {
          inherit lib;

          rustc = package system "rustc-1.95.0" empty { version = "1.95.0"; };
          rustPlatform.buildRustPackage =
            args:
            assert lib.assertFields "buildRustPackage" args [
              "pname"
              "version"
              "src"
              "cargoLock"
            ];
            assert builtins.pathExists args.cargoLock.lockFile;
            assert builtins.pathExists "${args.src}/Cargo.toml";
            package system "${args.pname}-${args.version}" (
              if args ? meta.mainProgram then programScript args.meta.mainProgram else empty
            ) args;

          runCommand =
            name: attrs: script:
            package system name empty (attrs // { inherit script; });
          writeShellScript =
            name: text:
            derivation {
              inherit name system;
              builder = "/bin/sh";
              args = [
                "-c"
                ''
                  export PATH=/bin:/usr/bin:/run/current-system/sw/bin
                  printf '#!/bin/sh\n%s\n' "$text" > "$out"
                  chmod +x "$out"
                ''
              ];
              inherit text;
            };
          # What the real one refuses: no name, or a configuration that is no attribute set.
          dockerTools.buildLayeredImage =
            args:
            assert lib.assertFields "buildLayeredImage" args [ "name" ];
            assert builtins.isAttrs (args.config or { });
            assert builtins.all builtins.isString (args.config.Entrypoint or [ ]);
            package system "${args.name}.tar.gz" empty (args // { nativeBuildInputs = args.contents or [ ]; });
          mkShell = attrs: package system "nix-shell" empty attrs;

          autoAddDriverRunpath = tool "auto-add-driver-runpath-hook";
          cargo = tool "cargo";
          clippy = tool "cargo-clippy";
          nixfmt-tree = tool "treefmt";
          python3 = tool "python3";
          rust-analyzer = tool "rust-analyzer";
          rustfmt = tool "rustfmt";
        };
    in
    {
      inherit lib;
      legacyPackages = lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] packagesFor;
    };
}
