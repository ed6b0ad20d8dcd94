"""Values of the functions of claims' formulas, as the claims' own reference (audit_lib.py) computes them.

Each formula below is the same text in Python and in Starlark. Run from anywhere; writes formulas.json beside itself.
"""
import os

import audit_lib
from written import write

audit_lib.DATA = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "claims", "data")

ADA, LAG, EFF, ANOVA = "tr147_static_ada", "tr117_lag_percentiles", "tr165_n2_efficiency", "tr126_p3_prefill_model"
X = "[12.5, 11.75, 13.25, 12.0, 14.5, 11.0, 12.75, 30.0]"
Y = "[2.5, 1.75, 3.5, 2.0, 4.25, 1.5, 2.75, 3.0]"

FORMULAS = [
    # tables
    f"cell('{ADA}', 'mean_ms', model='gpt2-100m', mode='prefill', compile_mode='eager')",
    f"cell(table='{ADA}', column='n_ok', model='gpt2-100m', mode='prefill', compile_mode='default')",
    f"col('{ADA}', 'mean_ms', mode='prefill')",
    f"col(column='mean_ms', table='{ADA}', mode='prefill', compile_mode=['default', 'reduce-overhead'])",
    f"col('{ADA}', 'model', compile_mode=('eager', 'default'), n=300.0)",
    f"col('{ADA}', 'mean_ms', model=set(['gpt2-100m']), n_ok=300)",
    f"col('{ADA}', 'mean_ms', model='absent')",
    "col('tr126_pt210_prefill_model', 'compile_ms')",
    "[r['compile_ms'] for r in rows('tr126_pt210_prefill_model')]",
    "len(rows(table='tr126_pt210_prefill_model', compile_ms=None))",
    "sum(col('tr147_run_inventory', 'rows', in_primary_total=True))",
    "len(rows('tr147_run_inventory', in_primary_total=1)) - len(rows('tr147_run_inventory', in_primary_total=[True]))",
    "cell('tr117_throttle_claims', 'unthrottled_pct', where='5.2')",
    # numbers
    "sum([1, 2, 3])", "sum([1.5, 2])", "sum([True, True])", "sum([], 4)", "sum([0.5], start=1)",
    "round(2.5)", "round(3.5)", "round(-2.5)", "round(7)", "round(2.675, 2)", "round(0.125, 2)", "round(0.375, ndigits=2)",
    "round(number=1234567.891, ndigits=-3)", "round(-1250.0, -2)", "round(1350.0, -2)", "round(5.0, -1)", "round(25.0, -1)",
    "round(4.9, -2)", "round(1.5, 400)", "round(12345, -2)", "round(1e300, 2)", "round(0.1 + 0.2, 10)",
    "pow(2, 10)", "pow(2.0, 0.5)", "pow(2, -2)", "pow(base=10, exp=3)", "pow(-8, 3)", "pow(True, 5)", "pow(0, 0)",
    "sqrt(2)", "sqrt(6.25)", "log10(1000)", "log10(2.55e-209)", "hypot(3, 4)", "hypot(1, 2, 3.5)", "hypot()",
    "abs(-3.5)", "abs(-3)", "len(set([1, 1.0, 2, 2]))", "int(2.75)", "float(3)", "int(-2.75)", "bool([])", "Z",
    "list(range(2, 9, 3))", "sorted(zip([2, 1], ['b', 'a']))", "max([1, 2.5, 2])", "min(3, 1, 2)", "str(7)", "any([0, 1])",
    "sorted(['b', 'a', 'c'], reverse=True)", "sorted([3, 1, 2], key=lambda v: -v)", "all([])", "7 // 2 + 7 % 4", "1 / 8",
    # summaries and changes
    f"mean({X})", "mean([1, 2])", "mean([True, False])", f"median({X})", "median([3, 1, 2])", f"std({X})", f"std(x={Y})",
    f"mean(x={X})", f"median(x={Y})", "count([1, 0, 'a', '', True, None, 2.5])", "count(it=[d > 2 for d in [1, 2, 3]])",
    "chg(12.5, 10)", "chg(a=8, b=9.5)", "gain(12.5, 10)", "gain(e=8, c=9.5)",
    "wmean([1, 2, 4], [3, 2, 1])", "wmean(v=[1.5, 2.5], w=[0.25, 0.5])",
    f"tukey_outliers({X})", f"tukey_outliers(x={Y})", f"tukey_outliers(col('{EFF}', 'delta_pp'))",
    "frac_near_multiple([10.01, 20.4, 29.99, 35], 10, 0.05)", "frac_near_multiple(x=[5, 7.5], q=2.5, tol=0.0)",
    f"pearson({X}, {Y})", f"pearson(x={Y}, y={X})", f"spearman({X}, {Y})", "spearman(x=[1, 2, 2, 3], y=[4, 4, 5, 1])",
    "r2_two(0.5, 0.6, 0.2)", "r2_two(r1=-0.3, r2=0.4, r12=0.1)",
    # effects and tests
    "pooled_sd(1.5, 2.5)", "pooled_sd(1.5, 2.5, 10, 20)", "pooled_sd(s1=1.5, s2=2.5, n1=7, n2=7)",
    "cohen_d(10, 1.5, 30, 11, 2.5, 20)", "cohen_d(m1=10, s1=1, n1=5, m2=8, s2=2, n2=5)",
    "welch_se(1.5, 2.5, 30, 20)", "welch_df(s1=1.5, s2=2.5, n1=30, n2=20)", "welch_t(10, 1.5, 30, 11, 2.5, 20)",
    "welch_p(10, 1.5, 30, 11, 2.5, 20)", "welch_p(m1=1, s1=0.5, n1=40, m2=4, s2=0.25, n2=60)",
    "student_p(10, 1.5, 11, 2.5, 20)", "student_p(m1=3, s1=1, m2=3, s2=1, n=5)",
    "p_from_t(2.5, 18)", "p_from_t(t=-30, df=400.5)", "p_from_d(0.5, 30)", "p_from_d(d=-2.4, n=540)",
    "tsf(1.5, 7)", "tsf(t=-1.5, df=7.25)", "fsf(3.5, 2, 30)", "fsf(f=0.4, a=5, b=11)",
    "sd_from_ci(9.5, 10.5, 300)", "sd_from_ci(lo=1, hi=2, n=10)", "se_from_ci(9.5, 10.5)", "se_from_ci(lo=1, hi=2)",
    "tost(0.1, 0.05, 58, 0.3)", "tost(delta=-0.2, se=0.1, df=20.5, eps=0.15)", "tost(0.1, 0.05, 58, 0.3)[0]",
    "mde_d(300)", "mde_d(30, 0.01, 0.9)", "mde_d(n=1620.0, alpha=0.05, power=0.8)",
    "holm([0.01, 0.04, 0.03, 0.005])", "holm(ps=[0.02, 0.5], alpha=0.1)", "holm([2.55e-209, 0.9])",
    "wilcoxon_w0(20, 4, 'wilcox')", "wilcoxon_w0(20, 4, 'pratt')", "wilcoxon_w0(n_nonzero=20, n_zero=4, zero_method='zsplit')",
    "two_prop_p(19, 24, 12, 24)", "two_prop_p(k1=3, n1=400, k2=9, n2=350)",
    "hyper_ge(3, 24, 5, 12)", "hyper_ge(k=0, N=24, K=5, n=12)", "hyper_ge(6, 24, 5, 12)",
    f"t1_p({Y})", f"t1_ci_lo({Y})", f"t1_p(x=col('{EFF}', 'delta_pp'))", f"t1_ci_lo(x=col('{EFF}', 'delta_pp'))",
    # whole tables
    *[f"anova_unbalanced('{ANOVA}', 135)['{key}']" for key in ("ss_int", "df_int", "ss_res", "df_res", "ss_tot", "F", "eta2")],
    f"anova_unbalanced(table='{ANOVA}', n=20)['F']",
    "d_ci('gpt2-100m', 'ada', 'kv_decode', 'default')",
    "d_ci(model='llama3.2-1b', gpu='a100', mode='prefill', cm='reduce-overhead')",
    "tost_rel('gpt2-100m', 'ada')", "tost_rel(model='qwen2.5-1.5b', gpu='a100', margin_pct=1.0)",
    "pct_mean_bounds('PERCENTILES')", "pct_mean_bounds(table='PERCENTILES')[1]",
    # rules
    "h_verdict(19, 24, 2, 6, 0.179, 24, 20, 6, 6, True)", "h_verdict(24, 24, 6, 6, 0.179, 24, 20, 6, 6, True)",
    "h_verdict(0, 24, 6, 6, -0.1, 24, 20, 6, 6, True)", "h_verdict(24, 24, 6, 6, 0.179, 19, 20, 6, 6, True)",
    "h_verdict(n_pass=24, n_total=24, hangs_resolved=6, hangs=6, mean_delta=0.2, cov_n2=24, floor_n2=20, cov_h=6, floor_h=6, runtime_ok=False)",
    "gate_rule('TENSOR_H2D_CHUNK_MB=0', '2026-02-28 Late 3')",
    "gate_rule(flag='FFN_DOWN_U16_FAST_COMPUTE', section='2026-02-28 Parser Fix')",
    "gate_rule('TENSOR_H2D_CHUNK_MB=0', '2026-02-28 Late 3', modes=['warm'], stages=('AB3',))",
    "gate_rule('absent', 'absent')",
    "[gate_rule(r['flag'], r['section']) for r in rows('treni_gate_deltas')]",
    "[band_gptfast(v) for v in (89.9, 90, None)]", "band_gptfast(tok_s=120)",
]


def plain(value):
    if isinstance(value, (list, tuple)):
        return [plain(element) for element in value]
    return value.item() if hasattr(value, "item") else value


def main():
    tables = audit_lib.Tables()
    lag = next(name for name, rows in sorted(tables.t.items()) if rows and {"percentile", "lag_ms"} <= set(rows[0]))
    names = {**audit_lib.NS(tables), "pow": pow}
    cases = []
    for formula in FORMULAS:
        formula = formula.replace("PERCENTILES", lag)
        cases.append({"formula": formula, "value": plain(eval(formula, {"__builtins__": {}, **names}))})
    about = "Functions of claims' formulas over the tables of tests/claims/data, computed by audit_lib.py, the claims' reference."
    write(__file__, about, ["numpy", "scipy", "statsmodels"], {"formulas": cases})


if __name__ == "__main__":
    main()
