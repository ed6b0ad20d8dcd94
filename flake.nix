{
  description = "Lockstep: reproduce, judge and gate LLM-inference benchmarks";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-26.05";

  outputs =
    { nixpkgs, ... }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      forAllSystems = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});

      manifest = (lib.importTOML ./Cargo.toml).package;

      # A git checkout gives a flake only what git tracks; a plain folder gives it these too.
      leftBehind = lib.fileset.unions [
        (lib.fileset.maybeMissing ./result)
        (lib.fileset.maybeMissing ./runs)
        (lib.fileset.maybeMissing ./target)
      ];
      sourceWithout =
        paths:
        lib.fileset.toSource {
          root = ./.;
          fileset = lib.fileset.difference ./. (lib.fileset.unions ([ leftBehind ] ++ paths));
        };
      # The tests read the whole tree.
      fullSource = sourceWithout [ ];
      # The binary is not made of these, so that editing them rebuilds nothing. `tests` and `benches` stay: Cargo.toml
      # names targets in them, and cargo reads no manifest whose targets are missing.
      buildSource = sourceWithout [
        ./.ci
        ./.github
        ./LICENSE
        ./flake.lock
        ./flake.nix
        (lib.fileset.maybeMissing ./README.md)
      ];

      # cargo would refuse too, but only after it had fetched and built for a while.
      requireRustc =
        pkgs:
        lib.throwIfNot (lib.versionAtLeast pkgs.rustc.version manifest.rust-version)
          "Cargo.toml asks for rustc ${manifest.rust-version} and the pinned nixpkgs has ${pkgs.rustc.version}; lower rust-version or run `nix flake update`";

      # One way to build; `args` says what a package or a check has of its own.
      cargoBuild =
        pkgs: args:
        requireRustc pkgs pkgs.rustPlatform.buildRustPackage (
          {
            pname = manifest.name;
            inherit (manifest) version;
            src = buildSource;
            cargoLock.lockFile = ./Cargo.lock;
            strictDeps = true;
            # `checks.tests` runs the tests once, so that no user's build has to.
            doCheck = false;
          }
          // args
        );

      lockstepFor =
        pkgs:
        cargoBuild pkgs {
          # NVML is loaded at run time where it is there; on NixOS it stands beside the driver, outside the store.
          # aws-lc needs nothing here: its C sources build with the compiler that every build has.
          nativeBuildInputs = [ pkgs.autoAddDriverRunpath ];
          meta = {
            inherit (manifest) description;
            license = [
              lib.licenses.mit
              lib.licenses.asl20
            ];
            platforms = systems;
            mainProgram = "lockstep";
          };
        };

      # The native lane as a container, without the engine that builds it: `nix build .#image && docker load < result`.
      # What lockstep makes of its own executable (lane native-container) needs no Nix; this one holds Nix's libraries.
      imageFor =
        pkgs:
        pkgs.dockerTools.buildLayeredImage {
          name = "${manifest.name}-native";
          tag = manifest.version;
          contents = [ (lockstepFor pkgs) ];
          config = {
            Entrypoint = [ (lib.getExe (lockstepFor pkgs)) ];
            Cmd = [ "runner" ];
            # As in lane native: one thread, and nobody's rights.
            Env = [ "RAYON_NUM_THREADS=1" ];
            User = "65534:65534";
            WorkingDir = "/";
            Labels."org.opencontainers.image.licenses" = manifest.license;
          };
        };
    in
    {
      packages = forAllSystems (pkgs: rec {
        lockstep = lockstepFor pkgs;
        default = lockstep;
        image = imageFor pkgs;
      });

      apps = forAllSystems (
        pkgs:
        let
          lockstep = lib.getExe (lockstepFor pkgs);
        in
        {
          # nix run . -- run quickstart
          default = {
            type = "app";
            program = lockstep;
            meta.description = "Every verb: lockstep VERB";
          };
          # nix run .#lane -- NAME
          lane = {
            type = "app";
            program = "${pkgs.writeShellScript "lockstep-lane" ''exec ${lockstep} lane "$@"''}";
            meta.description = "One lane by itself: lockstep lane NAME";
          };
        }
      );

      checks = forAllSystems (pkgs: {
        package = lockstepFor pkgs;

        # No build has a container engine, so the Docker tests print as ignored here; `.ci/run` runs them.
        tests = cargoBuild pkgs {
          pname = "lockstep-tests";
          src = fullSource;
          nativeBuildInputs = [ pkgs.python3 ];
          # The profile of a plain `cargo test`.
          buildType = "debug";
          auditable = false;
          doCheck = true;
          installPhase = "touch $out";
        };

        clippy = cargoBuild pkgs {
          pname = "lockstep-clippy";
          src = fullSource;
          nativeBuildInputs = [ pkgs.clippy ];
          auditable = false;
          buildPhase = ''
            runHook preBuild
            cargo clippy --offline --all-targets -- -D warnings
            runHook postBuild
          '';
          installPhase = "touch $out";
        };

        fmt = pkgs.runCommand "lockstep-fmt" {
          nativeBuildInputs = [
            pkgs.cargo
            pkgs.rustfmt
          ];
        } "cd ${fullSource} && cargo fmt --check && touch $out";
      });

      devShells = forAllSystems (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ (lockstepFor pkgs) ];
          packages = [
            pkgs.clippy
            pkgs.python3
            pkgs.rust-analyzer
            pkgs.rustfmt
          ];
        };
      });

      formatter = forAllSystems (pkgs: pkgs.nixfmt-tree);
    };
}
