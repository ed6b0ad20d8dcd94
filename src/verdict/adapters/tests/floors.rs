//! Launches as the unit of readings and numbers, and the floors that are listed.

use super::*;

#[test]
fn a_cold_start_of_a_run_is_a_launch_and_nothing_else() {
    let text = |count: &str| {
        format!(
            "kind = \"cold_start\"\nstartup = \"up\"\nfirst_request = \"first\"\ntotal = \"total\"\nresolution_ms = 1.0\n\
             power = 0.8\n{count}\nlanes.a = {{ table = \"t\", where = {{ lane = [\"a\"] }} }}\n\
             lanes.b = {{ table = \"t\", where = {{ lane = [\"b\"] }} }}\n"
        )
    };
    let row = |lane: &str, up: f64| json!({ "lane": lane, "up": up, "first": 1.0, "total": up + 1.0, "launches": 2, "n": 30 });
    let rows = json!([row("a", 10.0), row("b", 90.0)]);
    for count in ["n = \"n\"", "launches = 30", "launch = \"n\""] {
        assert_eq!(printed(&text(count), &rows).label, if count.contains("launch = ") { "inconclusive" } else { "a" });
        let ruling = measured(&text(count), &rows);
        assert_eq!(ruling.standing, Standing::Invalid, "{count}");
        assert!(ruling.reasons[0].contains("a start is a launch"), "{:?}", ruling.reasons);
    }
    let two = measured(&text("n = \"launches\""), &rows);
    assert_eq!((two.standing, two.settled_by), (Standing::Inconclusive, Some(3)));
}

#[test]
fn readings_and_numbers_of_fewer_than_three_launches_decide_nothing() {
    let series = "kind = \"saturation\"\nseries = { table = \"t\", column = \"ms\" }\nabove = 5.0\nsustained_readings = 2\n\
                  spot = { table = \"t\", column = \"ms\" }\n";
    let readings = |launches: u32| {
        let row = |at: u32| json!({ "ms": 6.0 + f64::from(at), "segment": 0, "launch": at % launches });
        Value::Array((0..6).map(row).collect())
    };
    assert_eq!(measured(series, &readings(3)).label, "sustained");
    let two = measured(series, &readings(2));
    assert_eq!((two.standing, two.settled_by), (Standing::Inconclusive, Some(3)), "{:?}", two.reasons);
    assert_eq!(printed(series, &readings(2)).label, "sustained");

    let efficiency = "kind = \"parallel_efficiency\"\nrows = { table = \"t\" }\nkey = [\"k\"]\nspeedup = \"a.up\"\n\
                      efficiency = \"a.e_share\"\nagents = 2\n";
    let consistency = "kind = \"consistency\"\nrows = { table = \"t\" }\nkey = [\"k\"]\nleft = \"a.up\"\nright = \"b.up\"\n\
                       consistent_pct = 5.0\nacceptable_pct = 10.0\n";
    let score = "kind = \"score_and_latency\"\nrows = { table = \"t\" }\nkey = [\"k\"]\nscores = [\"a.up\", \"b.up\"]\n\
                 latencies = [\"a.up\", \"b.up\"]\n";
    let rerun =
        "kind = \"same_window_rerun\"\nrerun = { table = \"t\" }\nkey = [\"k\"]\nnear_flat = { \"b.up\" = 9.0 }\n";
    let row = |a: u32, b: u32| json!([{ "k": "x", "a.up": 1.8, "a.e_share": 0.9, "a.launches": a, "b.up": 1.8, "b.launches": b }]);
    for (text, both) in [(efficiency, false), (consistency, true), (score, true), (rerun, true)] {
        let few = |ruling: Ruling| (ruling.standing, ruling.settled_by) == (Standing::Inconclusive, Some(3));
        assert_eq!(floors(&measured(text, &row(2, 2))), [("min_launches".to_owned(), 3.0)], "{text}");
        assert!(!few(measured(text, &row(3, 3))) && !few(printed(text, &row(1, 1))), "{text}");
        assert_eq!(few(measured(text, &row(3, 2))), both, "{text}");
        assert!(few(measured(text, &row(2, 2))), "{text}");
    }
}

/// The floors that a ruling lists.
fn floors(ruling: &Ruling) -> Vec<(String, f64)> {
    let of = ruling.thresholds.iter().filter(|it| it.name.starts_with("min_"));
    of.map(|it| (it.name.clone(), it.value)).collect()
}

#[test]
fn a_ladder_lists_what_it_does_not_compare_be_it_printed_or_measured() {
    let ladder = "kind = \"falsification_ladder\"\npreconditions = []\nmin_combinations = 2\nmin_hang_shapes = 0\n\
                  efficiencies = { rows = { table = \"t\" }, key = [\"k\"], baseline = \"a_share\", candidate = \"b_share\" }\n\
                  improvement_above = 12.0\nimprovement_unit = \"pp\"\nnull = \"mean_not_above_zero\"\nnull_margin_pp = 3.0\n";
    let row = |k: &str, b: Value| json!({ "k": k, "a_share": 0.5, "b_share": b });
    let all = json!([row("x", json!(0.8)), row("y", json!(0.9)), row("z", json!(0.7))]);
    let one_short = json!([row("x", json!(0.8)), row("y", json!(0.9)), row("z", Value::Null)]);
    assert_eq!(printed(ladder, &all).label, "H1_pass", "printed gains decide as they stand");
    let short = printed(ladder, &one_short);
    assert_eq!((short.label.as_str(), labels(&short)), ("inconclusive", vec!["pass", "pass", "not_compared"]));
    assert_eq!((short.parts[2].reason.as_deref(), short.settled_by), (Some("b_share is empty"), None));
    // Of a run's row it has to be known what each launch gave.
    let unknown = measured(ladder, &all);
    assert_eq!((unknown.label.as_str(), labels(&unknown)), ("abstain", vec!["not_compared"; 3]));
    assert!(
        unknown.parts[0].reason.as_ref().unwrap().contains("a_share is no mean over launches"),
        "{:?}",
        unknown.parts
    );
}

#[test]
fn floors_of_launches_and_of_survivors_are_listed_where_they_were_asked_for() {
    let side =
        |lane: &str| format!("{{ rows = {{ table = \"t\", where = {{ lane = [\"{lane}\"] }} }}, mean = \"ms\" }}");
    let text =
        format!("kind = \"mean_contrast\"\nmargin = 0.1\npower = 0.8\nleft = {}\nright = {}", side("a"), side("b"));
    let all = [
        launches("a", "prefill", &one_segment(&[10.0, 10.1, 9.9])),
        launches("b", "prefill", &one_segment(&[12.0, 12.1, 11.9])),
    ];
    let values = Value::Array(all.concat());
    let wanted = [("min_launches".to_owned(), 3.0), ("min_ok_share".to_owned(), 0.9)];
    assert_eq!(floors(&measured(&text, &values)), wanted);
    let lost: Value = values
        .as_array()
        .unwrap()
        .iter()
        .map(|row| {
            let mut row = row.clone();
            row["ok_share"] = json!(0.5);
            row
        })
        .collect();
    let open = measured(&text, &lost);
    assert!(open.reasons[0].contains("floor 0.9"), "{:?}", open.reasons);
    assert_eq!(floors(&open), wanted, "the floor that stopped it");
    assert_eq!(floors(&printed(&text, &values)), [], "no launch and no attempt is counted of printed values");
    assert_eq!(floors(&measured(PHASES, &both_phases(&[5.0, 5.1, 4.9], &[10.0, 10.1, 9.9]))), wanted);
    let three = [("min_values".to_owned(), 3.0)];
    assert_eq!(floors(&printed(PHASES, &both_phases(&[5.0, 5.1, 4.9], &[10.0, 10.1, 9.9]))), three, "in any unit");
}

#[test]
fn a_number_that_is_a_time_has_the_floor_of_survivors_whatever_the_rule() {
    let keyed = "rows = { table = \"t\" }\nkey = [\"k\"]\n";
    let texts = [
        format!("kind = \"stated_differences\"\n{keyed}left = \"mean_ms\"\nright = \"sd_ms\"\nat_least = -9.0\n"),
        format!("kind = \"consistency\"\n{keyed}left = \"mean_ms\"\nright = \"sd_ms\"\nconsistent_pct = 5.0\nacceptable_pct = 9.0\n"),
        format!("kind = \"ladder_of_bands\"\n{keyed}value = \"cv\"\nlowest = \"a\"\nabove = {{ b = 0.5 }}\n"),
        "kind = \"saturation\"\nseries = { table = \"t\", column = \"mean_ms\" }\nabove = 5.0\nsustained_readings = 1\n\
         spot = { table = \"t\", column = \"mean_ms\" }\n"
            .to_owned(),
        "kind = \"compile_robustness\"\nrows = { table = \"t\" }\nstack = \"k\"\nperformance = \"mean_ms\"\n\
         performance_is = \"time\"\ncv = \"cv\"\nsurvived = \"ok\"\ntried = \"attempts\"\nrobust_pct = 5.0\n\
         sensitive_pct = 20.0\nfragile_pct = 50.0\n"
            .to_owned(),
    ];
    let rows = |ok_share: f64| {
        json!([{ "k": "x", "mean_ms": 10.0, "sd_ms": 9.9, "cv": 0.1, "launches": 4, "attempted_launches": 4, "ok_launches": 4,
                 "ok": 40, "attempts": 40, "ok_share": ok_share }])
    };
    for text in texts {
        let few = measured(&text, &rows(0.5));
        assert!(few.reasons[0].contains("floor 0.9"), "{text}: {:?}", few.reasons);
        for ruling in [few, measured(&text, &rows(1.0))] {
            assert_eq!(floors(&ruling), [("min_launches".to_owned(), 3.0), ("min_ok_share".to_owned(), 0.9)], "{text}");
        }
        assert!(floors(&printed(&text, &rows(1.0))).is_empty(), "{text}");
    }
}
