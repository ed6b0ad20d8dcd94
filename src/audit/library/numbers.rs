//! What Python has and Starlark lacks.

use starlark::environment::GlobalsBuilder;
use starlark::eval::Evaluator;
use starlark::starlark_module;
use starlark::values::none::NoneOr;
use starlark::values::tuple::UnpackTuple;
use starlark::values::{UnpackValue as _, Value};

use super::unpack::{Number, defined, shown};
use crate::audit::Error;

/// The largest power of a whole number that is computed.
const MAX_POWER: u32 = 100_000;

/// Decimals beyond which rounding changes nothing in a double, or leaves 0.
const MAX_DECIMALS: i32 = 330;

/// `x` to `decimals` decimals, half to even, from the exact decimal value of the double as Python does.
fn rounded(x: f64, decimals: i32) -> f64 {
    if decimals > MAX_DECIMALS || !x.is_finite() {
        return x;
    }
    if decimals < -MAX_DECIMALS {
        return 0.0;
    }
    if decimals >= 0 {
        return format!("{x:.0$}", decimals as usize).parse().unwrap_or(x);
    }
    // Digits before the point: as many as the number has above the last one kept.
    let places = (-decimals) as usize;
    let digits = format!("{:.0}", x.trunc().abs()).len();
    if digits < places {
        return 0.0;
    }
    let unit = libm::pow(10.0, places as f64);
    let kept = x / unit;
    (kept.round_ties_even() * unit).copysign(x)
}

#[starlark_module]
pub(super) fn register(builder: &mut GlobalsBuilder) {
    fn sum<'v>(
        #[starlark(require = pos)] values: Value<'v>,
        start: Option<Value<'v>>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        let number = |value: Value<'v>| value.unpack_bool().map_or(value, |flag| heap.alloc(i32::from(flag)));
        let mut total = start.map_or_else(|| heap.alloc(0), number);
        for value in values.iterate(heap)? {
            total = total.add(number(value), heap)?;
        }
        Ok(total)
    }

    fn round<'v>(
        number: Value<'v>,
        #[starlark(default = NoneOr::None)] ndigits: NoneOr<i32>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        let wanted = || Error::Misuse(format!("round() of {}", shown(number)));
        let x = Number::unpack_value_opt(number).ok_or_else(wanted)?.0;
        let is_whole = number.get_type() != "float";
        match ndigits.into_option() {
            _ if number.unpack_bool().is_some() => Ok(heap.alloc(x as i32)),
            None if is_whole => Ok(number),
            None if x.abs() < 9e15 => Ok(heap.alloc(x.round_ties_even() as i64)),
            None => Err(Error::Missing(format!("{x} rounds to no whole number that is exact")).into()),
            Some(decimals) if is_whole && decimals >= 0 => Ok(number),
            Some(decimals) if is_whole => Ok(heap.alloc(rounded(x, decimals) as i64)),
            Some(decimals) => Ok(heap.alloc(rounded(x, decimals))),
        }
    }

    fn pow<'v>(base: Value<'v>, exp: Value<'v>, eval: &mut Evaluator<'v, '_, '_>) -> starlark::Result<Value<'v>> {
        let heap = eval.heap();
        let real = |value: Value| {
            let wanted = || Error::Misuse(format!("pow() of {}", shown(value)));
            Number::unpack_value_opt(value).map(|number| number.0).ok_or_else(wanted)
        };
        let (x, y) = (real(base)?, real(exp)?);
        if base.get_type() == "float" || exp.get_type() == "float" || y < 0.0 {
            if x == 0.0 && y < 0.0 {
                return Err(Error::Missing("pow() divides by zero".to_owned()).into());
            }
            return Ok(heap.alloc(defined(libm::pow(x, y), "pow()")?));
        }
        let whole = |value: Value<'v>| value.unpack_bool().map_or(value, |flag| heap.alloc(i32::from(flag)));
        let mut left = whole(exp).unpack_i32().and_then(|power| u32::try_from(power).ok()).unwrap_or(u32::MAX);
        if left > MAX_POWER {
            return Err(Error::Misuse(format!("pow() to the power of {y}, more than {MAX_POWER}")).into());
        }
        let (mut square, mut result) = (whole(base), heap.alloc(1));
        while left > 0 {
            if left % 2 == 1 {
                result = result.mul(square, heap)?;
            }
            left /= 2;
            if left > 0 {
                square = square.mul(square, heap)?;
            }
        }
        Ok(result)
    }

    fn sqrt(#[starlark(require = pos)] x: Number) -> starlark::Result<f64> {
        Ok(defined(x.0.sqrt(), "sqrt()")?)
    }

    fn log10(#[starlark(require = pos)] x: Number) -> starlark::Result<f64> {
        Ok(defined(libm::log10(x.0), "log10()")?)
    }

    fn hypot(#[starlark(args)] sides: UnpackTuple<Number>) -> starlark::Result<f64> {
        let length = sides.items.iter().fold(0.0, |length, side| libm::hypot(length, side.0));
        Ok(defined(length, "hypot()")?)
    }
}
