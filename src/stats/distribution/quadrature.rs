//! Adaptive integration of smooth functions.

/// Positive abscissae of the 15-point Kronrod rule on [-1, 1] with its weights, and the weights of the 7-point Gauss
/// rule that shares every second abscissa (R. Piessens et al., QUADPACK, 1983, routine QK15).
const NODES: [(f64, f64, Option<f64>); 7] = [
    (0.991_455_371_120_812_6, 0.022_935_322_010_529_224, None),
    (0.949_107_912_342_758_5, 0.063_092_092_629_978_55, Some(0.129_484_966_168_869_7)),
    (0.864_864_423_359_769_1, 0.104_790_010_322_250_18, None),
    (0.741_531_185_599_394_4, 0.140_653_259_715_525_92, Some(0.279_705_391_489_276_7)),
    (0.586_087_235_467_691_1, 0.169_004_726_639_267_9, None),
    (0.405_845_151_377_397_2, 0.190_350_578_064_785_4, Some(0.381_830_050_505_118_94)),
    (0.207_784_955_007_898_47, 0.204_432_940_075_298_9, None),
];
const CENTRE: (f64, f64) = (0.209_482_141_084_727_82, 0.417_959_183_673_469_4);

/// Halvings of one panel after which it is taken as it is.
const MAX_DEPTH: u32 = 40;

/// Gauss-Kronrod estimate of the integral over `[low, high]`, with the Gauss one.
fn estimate(f: &impl Fn(f64) -> f64, low: f64, high: f64) -> (f64, f64) {
    let (centre, half) = (low + 0.5 * (high - low), 0.5 * (high - low));
    let middle = f(centre);
    let (mut kronrod, mut gauss) = (CENTRE.0 * middle, CENTRE.1 * middle);
    for (node, weight, gauss_weight) in NODES {
        let pair = f(centre - half * node) + f(centre + half * node);
        kronrod += weight * pair;
        gauss += gauss_weight.unwrap_or(0.0) * pair;
    }
    (kronrod * half, gauss * half)
}

/// Integral of a non-negative function over consecutive panels, whose borders ascend.
///
/// A panel is halved until the two rules agree to `relative` of the whole; the Kronrod value kept is then far closer
/// than that. Panels are summed from left to right, so equal input gives equal bits.
pub(super) fn integrate(f: impl Fn(f64) -> f64, borders: &[f64], relative: f64) -> f64 {
    let panels = || borders.iter().zip(borders.iter().skip(1));
    let whole: f64 = panels().map(|(&low, &high)| estimate(&f, low, high).0).sum();
    panels().map(|(&low, &high)| refine(&f, low, high, whole * relative, MAX_DEPTH)).sum()
}

/// One panel, halved as long as it has to be.
fn refine(f: &impl Fn(f64) -> f64, low: f64, high: f64, allowed: f64, depth: u32) -> f64 {
    let (kronrod, gauss) = estimate(f, low, high);
    let middle = low + 0.5 * (high - low);
    if (kronrod - gauss).abs() <= allowed || depth == 0 || middle <= low || middle >= high {
        return kronrod;
    }
    refine(f, low, middle, allowed, depth - 1) + refine(f, middle, high, allowed, depth - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polynomials_of_degree_22_are_exact_in_one_panel() {
        let even = |x: f64| (0..11).fold(1.0, |power, _| power * x * x);
        let (kronrod, _) = estimate(&even, -1.0, 1.0);
        assert!((kronrod - 2.0 / 23.0).abs() < 1e-16, "{kronrod}");
    }

    #[test]
    fn a_bell_much_narrower_than_its_panels_is_resolved() {
        let bell = |x: f64| libm::exp(-0.5 * (x - 3.0) * (x - 3.0) * 1e4);
        let area = integrate(bell, &[2.5, 3.0, 5.0], 1e-11) * 1e2 / (2.0 * std::f64::consts::PI).sqrt();
        assert!((area - 1.0).abs() < 1e-14, "{area}");
    }
}
