//! Numbers as Python takes them: whole, real, and True as 1.

use std::convert::Infallible;

use starlark::typing::Ty;
use starlark::values::float::UnpackFloat;
use starlark::values::type_repr::StarlarkTypeRepr;
use starlark::values::{Heap, UnpackValue, Value};

use crate::audit::Error;

/// A number.
#[derive(Debug, Clone, Copy)]
pub(super) struct Number(pub f64);

impl StarlarkTypeRepr for Number {
    type Canonical = <UnpackFloat as StarlarkTypeRepr>::Canonical;

    fn starlark_type_repr() -> Ty {
        UnpackFloat::starlark_type_repr()
    }
}

impl<'v> UnpackValue<'v> for Number {
    type Error = Infallible;

    fn unpack_value_impl(value: Value<'v>) -> Result<Option<Self>, Infallible> {
        let flag = value.unpack_bool().map(|flag| f64::from(u8::from(flag)));
        Ok(flag.or_else(|| UnpackFloat::unpack_value_opt(value).map(|number| number.0)).map(Self))
    }
}

/// The numbers of a list, tuple or other iterable.
pub(super) fn numbers<'v>(values: Value<'v>, heap: &'v Heap) -> starlark::Result<Vec<f64>> {
    let number = |value: Value<'v>| {
        let found = || format!("{} where a number is needed", shown(value));
        Number::unpack_value_opt(value).map(|number| number.0).ok_or_else(|| Error::Misuse(found()).into())
    };
    values.iterate(heap)?.map(number).collect()
}

/// A value for a message.
pub(super) fn shown(value: Value) -> String {
    let text: String = value.to_repr().chars().take(60).collect();
    format!("{text} ({})", value.get_type())
}

/// A number that came out as one.
pub(super) fn defined(value: f64, what: &str) -> Result<f64, Error> {
    if value.is_finite() { Ok(value) } else { Err(Error::Missing(format!("{what} is not defined for these numbers"))) }
}

/// A number that is one: a comparison with none would be false, and look like an answer.
pub(super) fn a_number(value: f64, what: &str) -> Result<f64, Error> {
    if value.is_nan() { Err(Error::Missing(format!("{what} is not defined for what is no number"))) } else { Ok(value) }
}

/// A count: a whole number from `least`.
pub(super) fn whole(value: f64, least: u64, name: &str) -> Result<u64, Error> {
    if value.fract() == 0.0 && value >= least as f64 && value < 9e15 {
        return Ok(value as u64);
    }
    Err(Error::Missing(format!("{name} is {value}, where a whole number from {least} is needed")))
}

/// What Python's `int` makes of a number.
pub(super) fn truncated(value: f64, least: u64, name: &str) -> Result<u64, Error> {
    whole(value.trunc(), least, name)
}
