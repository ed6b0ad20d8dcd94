# The functions of nixpkgs' `lib` that ../../flake.nix calls.
let
  inherit (builtins)
    all
    attrNames
    compareVersions
    concatLists
    filter
    fromTOML
    hasAttr
    listToAttrs
    pathExists
    readFile
    stringLength
    substring
    ;

  # A file set is a list of absolute paths here; a folder stands for all that it holds.
  asSet = fileset: if builtins.isList fileset then fileset else [ (existing fileset) ];
  existing = path: if pathExists path then path else throw "lib.fileset: ${toString path} does not exist";
  within = path: folder: path == folder || substring 0 (stringLength folder + 1) path == "${folder}/";
in
{
  genAttrs =
    names: f:
    listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );

  importTOML = path: fromTOML (readFile path);
  versionAtLeast = a: b: compareVersions a b >= 0;
  throwIfNot = condition: message: if condition then (x: x) else throw message;

  getExe =
    package:
    "${package}/bin/${
      package.meta.mainProgram or (throw "lib.getExe: ${package.name} has no meta.mainProgram")
    }";

  licenses = {
    mit.spdxId = "MIT";
    asl20.spdxId = "Apache-2.0";
  };

  fileset = rec {
    unions = sets: concatLists (map asSet sets);
    maybeMissing = path: filter pathExists [ path ];
    # Kept as a function, since the whole of a folder cannot be listed cheaply.
    difference = root: without: {
      inherit root;
      without = map toString (asSet without);
    };
    toSource =
      { root, fileset }:
      assert fileset.root == root;
      builtins.path {
        path = root;
        name = "source";
        filter = path: _type: all (excluded: !(within path excluded)) fileset.without;
      };
  };

  assertFields =
    function: args: names:
    let
      missing = filter (name: !(hasAttr name args)) names;
    in
    missing == [ ] || throw "${function}: ${toString missing} missing among ${toString (attrNames args)}";
}
