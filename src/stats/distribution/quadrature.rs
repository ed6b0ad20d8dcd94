//! Adaptive integration of smooth functions.

/// Positive abscissae of the 15-point Kronrod rule on [-1, 1] with its weights, and the weights of the 7-point Gauss
/// rule that shares every second abscissa (R. Piessens et al., QUADPACK, 1983, routine QK15).
const NODES: [(f64, f64, Option<f64>); 7] = [
    (0.991_455_371_120_812_6, 0.022_935_322_010_529_224, None),
    (0.949_107_912_342_758_5, 0.063_092_092_629_978_55, Some(0.129_484_966_168_869_7)),
    (0.864_864_423_359_769_1, 0.104_790_010_322_250_18, None),
    (0.741_531_185_599_394_4, 0.140_653_259_715_525_92, Some(0.279_705_391_489_276_7)),
    (0.586_087_235_467_691_1, 0.169_004_726_639_267_9, None),
    (0.405_845_151_377_397_2, 0.190_350_578_064_785_4, Some(0.381_830_050_505_118_9)),
    (0.207_784_955_007_898_47, 0.204_432_940_075_298_9, None),
];
const CENTRE: (f64, f64) = (0.209_482_141_084_727_82, 0.417_959_183_673_469_4);

/// Halvings of one panel after which it is taken as it is.
const MAX_DEPTH: u32 = 40;

/// One stretch of the integral with both rules' estimates.
struct Panel {
    low: f64,
    high: f64,
    kronrod: f64,
    gauss: f64,
}

impl Panel {
    fn new(f: &impl Fn(f64) -> f64, low: f64, high: f64) -> Self {
        let (centre, half) = (low + 0.5 * (high - low), 0.5 * (high - low));
        let middle = f(centre);
        let (mut kronrod, mut gauss) = (CENTRE.0 * middle, CENTRE.1 * middle);
        for (node, weight, gauss_weight) in NODES {
            let pair = f(centre - half * node) + f(centre + half * node);
            kronrod += weight * pair;
            gauss += gauss_weight.unwrap_or(0.0) * pair;
        }
        Self { low, high, kronrod: kronrod * half, gauss: gauss * half }
    }

    /// The panel's integral, halving it as long as it has to be.
    fn refined(&self, f: &impl Fn(f64) -> f64, allowed: f64, depth: u32) -> f64 {
        let middle = self.low + 0.5 * (self.high - self.low);
        let indivisible = middle <= self.low || middle >= self.high;
        if (self.kronrod - self.gauss).abs() <= allowed || depth == 0 || indivisible {
            return self.kronrod;
        }
        let halves = [Panel::new(f, self.low, middle), Panel::new(f, middle, self.high)];
        halves.iter().map(|half| half.refined(f, allowed, depth - 1)).sum()
    }
}

/// Integral of a non-negative function over consecutive panels, whose borders ascend.
///
/// A panel is halved until the two rules agree to `relative` of the whole; the Kronrod value kept is then far closer
/// than that. Panels are summed from left to right, so equal input gives equal bits.
pub(super) fn integrate(f: impl Fn(f64) -> f64, borders: &[f64], relative: f64) -> f64 {
    let panels: Vec<Panel> =
        borders.iter().zip(borders.iter().skip(1)).map(|(&low, &high)| Panel::new(&f, low, high)).collect();
    let whole: f64 = panels.iter().map(|panel| panel.kronrod).sum();
    panels.iter().map(|panel| panel.refined(&f, whole * relative, MAX_DEPTH)).sum()
}

/// Points on one side after which the trapezoidal rule is given up.
const MOST_POINTS: u32 = 2_000;

/// Integral over the whole line of a smooth, positive function that falls away on both sides of its maximum at
/// `centre`; none where that takes too many points.
///
/// The trapezoidal rule, which converges faster than any power of its step for such functions (L. N. Trefethen and
/// J. A. C. Weideman, "The exponentially convergent trapezoidal rule", SIAM Review 56, 2014). The points midway between
/// the last ones are added until they agree with them to `relative`; the mean of both kept then is far closer than that.
pub(super) fn integrate_line(f: impl Fn(f64) -> f64, centre: f64, step: f64, relative: f64) -> Option<f64> {
    let mut step = step;
    let mut sum = f(centre) + fall(&f, centre, step, step)? + fall(&f, centre, -step, -step)?;
    for _ in 0..4 {
        let midway = fall(&f, centre, step / 2.0, step)? + fall(&f, centre, -step / 2.0, -step)?;
        let apart = (sum - midway).abs();
        (sum, step) = (sum + midway, step / 2.0);
        if apart <= relative * sum / 2.0 {
            return Some(sum * step);
        }
    }
    None
}

/// Sum of the function at `centre + first`, and on from there in steps until nothing is left.
fn fall(f: &impl Fn(f64) -> f64, centre: f64, first: f64, step: f64) -> Option<f64> {
    let mut total = 0.0;
    for place in 0..MOST_POINTS {
        let term = f(centre + (first + step * f64::from(place)));
        total += term;
        if term <= total * 1e-18 {
            return Some(total);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bell_is_summed_to_the_last_digits_from_steps_as_wide_as_itself() {
        let bell = |x: f64| libm::exp(-0.5 * (x - 3.0) * (x - 3.0) * 1e4);
        let area = integrate_line(bell, 3.0, 0.01, 1e-13).expect("a sum") * 1e2 / (2.0 * std::f64::consts::PI).sqrt();
        assert!((area - 1.0).abs() < 1e-14, "{area}");
        assert_eq!(integrate_line(|x| 1.0 / (1.0 + x * x), 0.0, 0.1, 1e-13), None, "falls too slowly");
        let step = |x: f64| if x.abs() < 1.0 { 1.0 } else { 0.0 };
        assert_eq!(integrate_line(step, 0.0, 0.3, 1e-13), None, "is not smooth");
    }

    #[test]
    fn polynomials_of_degree_22_are_exact_in_one_panel() {
        let even = |x: f64| (0..11).fold(1.0, |power, _| power * x * x);
        let kronrod = Panel::new(&even, -1.0, 1.0).kronrod;
        assert!((kronrod - 2.0 / 23.0).abs() < 1e-16, "{kronrod}");
    }

    #[test]
    fn a_bell_much_narrower_than_its_panels_is_resolved() {
        let bell = |x: f64| libm::exp(-0.5 * (x - 3.0) * (x - 3.0) * 1e4);
        let area = integrate(bell, &[2.5, 3.0, 5.0], 1e-11) * 1e2 / (2.0 * std::f64::consts::PI).sqrt();
        assert!((area - 1.0).abs() < 1e-14, "{area}");
    }
}
