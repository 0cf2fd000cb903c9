//! `sabrewing doctor` as an operator runs it: exit codes and the two outputs.

use serde_json::Value;
use std::process::{Command, Output};

/// Runs doctor with scheduling gaps left out, on the configuration `[host]` + `lines`.
fn doctor(lines: Option<&str>, args: &[&str]) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    command.args(["doctor", "--seconds", "0"]).args(args);
    if let Some(lines) = lines {
        let file = dir.path().join("run.toml");
        std::fs::write(&file, format!("[risk]\nunrelated = 1\n[host]\n{lines}\n")).unwrap();
        command.arg("--config").arg(file);
    }
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn without_requirements_warnings_exit_0() {
    for lines in [None, Some("")] {
        let output = doctor(lines, &["--json"]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        assert_eq!(json(&output)["unmet"], Value::Array(vec![]));
    }
}

#[test]
fn an_unmet_requirement_exits_1_and_is_named() {
    let output = doctor(Some("clock_source = \"sundial\"\nstrict_host = true"), &["--json"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let report = json(&output);
    assert_eq!(report["unmet"], serde_json::json!(["clock.source"]));
    assert_eq!(report["strict_host"], true);
    let text = doctor(Some("clock_source = \"sundial\"\nstrict_host = true"), &[]);
    assert_eq!(text.status.code(), Some(1));
    let text = String::from_utf8(text.stdout).unwrap();
    assert!(
        text.contains("sundial (required)") && text.contains("1 of 1 requirements unmet: clock.source\n"),
        "{text}"
    );
}

#[test]
fn a_met_requirement_exits_0() {
    let output = doctor(Some("journal_bytes_per_s = 1\ndisk_hours_min = 0.000001"), &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

#[test]
fn an_unknown_key_or_a_missing_file_exits_2_with_the_place_and_an_empty_stdout() {
    let output = doctor(Some("governer = \"performance\""), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    let why = String::from_utf8(output.stderr).unwrap();
    assert!(why.contains("run.toml:4: unknown field `governer`"), "{why}");
    let missing = doctor(None, &["--config", "no-such.toml"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("no-such.toml: no such file"));
}

#[test]
fn wrong_arguments_exit_2() {
    for args in [
        ["--cores", "3-1"],
        ["--cores", "x"],
        ["--seconds", "-1"],
        ["--journal-bytes-per-s", "0"],
        ["--no", "x"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_sabrewing")).arg("doctor").args(args).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?} {output:?}");
    }
}

#[test]
fn every_check_has_its_id_state_value_and_wanted_value() {
    let report = json(&doctor(None, &["--json", "--cores", "0"]));
    assert_eq!(report["pinned_cores"], serde_json::json!([0]));
    let checks = report["checks"].as_array().unwrap();
    let ids: Vec<&str> = checks.iter().map(|check| check["id"].as_str().unwrap()).collect();
    assert_eq!(
        ids,
        [
            "kernel.version",
            "kernel.virtualised",
            "cores.pinned",
            "cores.housekeeping",
            "cores.isolated",
            "cores.nohz_full",
            "smt.siblings",
            "irq.pinned_cores",
            "power.governor",
            "power.idle_exit",
            "memory.huge_pages",
            "memory.transparent_huge_pages",
            "memory.swap",
            "memory.numa",
            "limits.memlock",
            "limits.rtprio",
            "clock.source",
            "clock.counter",
            "clock.synchronised",
            "clock.error",
            "disk.journal_hours",
            "scheduling.gap_p999",
        ]
    );
    for check in checks {
        let state = check["state"].as_str().unwrap();
        assert!(["ok", "warn", "fail", "unknown"].contains(&state), "{check}");
        assert!(check["wanted"].is_string() && check["required"] == false, "{check}");
        // What is not known says why; what is known says what.
        let told = if state == "unknown" { &check["why"] } else { &check["value"] };
        assert!(!told.as_str().unwrap().is_empty(), "{check}");
    }
}

#[test]
fn gaps_are_measured_on_the_given_core() {
    let core = core_affinity::get_core_ids().unwrap()[0].id;
    let mut command = Command::new(env!("CARGO_BIN_EXE_sabrewing"));
    let output = command
        .args(["doctor", "--json", "--seconds", "0.05", "--cores", &core.to_string()])
        .output()
        .unwrap();
    let gaps = &json(&output)["scheduling_gaps"][0];
    assert_eq!(gaps["core"], core);
    assert!(gaps["seconds"].as_f64().unwrap() >= 0.05, "{gaps}");
    assert!((0.0..=1.0).contains(&gaps["lost_share"].as_f64().unwrap()), "{gaps}");
}
