//! All names of formulas together.

use starlark::environment::{Globals, GlobalsBuilder, LibraryExtension};

use super::{designs, numbers, rules, statistics, table};
use crate::stats::distribution::normal_quantile;

/// The functions as those read of them who write claims.
pub const FUNCTIONS: &str = include_str!("../FORMULAS.md");

/// What a formula may name: Starlark's own functions, `set`, and ours. There is no `load` and no `print`.
pub(in crate::audit) fn globals() -> Globals {
    let mut builder = GlobalsBuilder::extended_by(&[LibraryExtension::SetType]);
    table::register(&mut builder);
    numbers::register(&mut builder);
    statistics::register(&mut builder);
    designs::register(&mut builder);
    rules::register(&mut builder);
    if let Ok(z) = normal_quantile(0.975) {
        builder.set("Z", z);
    }
    builder.build()
}

/// The names that [`FUNCTIONS`] documents: all but those of Starlark itself.
#[must_use]
pub fn function_names() -> Vec<String> {
    let own = |globals: &Globals| globals.names().map(|name| name.as_str().to_owned()).collect::<Vec<_>>();
    let starlark = own(&Globals::standard());
    own(&globals()).into_iter().filter(|name| !starlark.contains(name)).collect()
}
