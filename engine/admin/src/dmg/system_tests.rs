//! What `dmg system` prints for fixed answers.

use super::*;

fn member(rank: u32, state: &str, info: &str) -> SystemMember {
    SystemMember {
        rank,
        incarnation: 1,
        uuid: format!("00000000-0000-0000-0000-00000000000{rank}"),
        addr: "10.0.0.1:10001".to_owned(),
        fabric_uri: "ofi+tcp://10.0.0.1:31416".to_owned(),
        fabric_contexts: 4,
        state: state.to_owned(),
        info: info.to_owned(),
        fault_domain: "/node1".to_owned(),
        last_update: "2026-01-02T03:04:05Z".to_owned(),
    }
}

fn answer() -> SystemQueryResp {
    SystemQueryResp {
        members: vec![member(0, "joined", ""), member(1, "stopped", "by request"), member(2, "joined", "")],
        providers: vec!["ofi+tcp".to_owned()],
        absent_ranks: "7-9".to_owned(),
    }
}

fn text(report: &Report) -> String {
    String::from_utf8(report.text.clone()).unwrap()
}

#[test]
fn query_folds_ranks_by_state() {
    insta::assert_snapshot!(text(&query_report(&answer(), false)), @r"
    Rank  State
    ----  -----
    [0,2] Joined
    1     Stopped

    Unknown ranks: 7-9
    ");
}

#[test]
fn ranks_in_a_bad_state_are_named_with_the_way_to_the_reason() {
    let errored = |rank| member(rank, "errored", "engine 0 ended: exit code 1");
    let of = |members| SystemQueryResp { members, ..SystemQueryResp::default() };
    let answer = of(vec![member(0, "joined", ""), errored(1), member(2, "Excluded", "no sign of life"), errored(3)]);
    insta::assert_snapshot!(text(&query_report(&answer, false)), @r"
    Rank  State
    ----  -----
    0     Joined
    [1,3] Errored
    2     Excluded

    hint: `dmg system query --verbose` gives the reason for ranks [1-3]
    ");
    let faulty = member(5, "joined", "target 1 takes no more changes");
    let one =
        text(&query_report(&of(vec![member(0, "joined", ""), member(1, "stopped", "by request"), faulty]), false));
    assert!(one.ends_with("\nhint: `dmg system query --verbose` gives the reason for rank 5\n"), "{one}");
    assert!(!text(&query_report(&answer, true)).contains("hint: "));
}

#[test]
fn verbose_query_has_a_line_per_rank() {
    insta::assert_snapshot!(text(&query_report(&answer(), true)), @r"
    Rank UUID                                 Control Address Fault Domain State   Reason
    ---- ----                                 --------------- ------------ -----   ------
    0    00000000-0000-0000-0000-000000000000 10.0.0.1:10001  /node1       Joined
    1    00000000-0000-0000-0000-000000000001 10.0.0.1:10001  /node1       Stopped by request
    2    00000000-0000-0000-0000-000000000002 10.0.0.1:10001  /node1       Joined

    Unknown ranks: 7-9
    ");
}

#[test]
fn query_as_json_has_the_names_of_daos() {
    let one = SystemQueryResp { members: vec![member(0, "joined", "")], ..answer() };
    insta::assert_json_snapshot!(query_report(&one, false).response, @r#"
    {
      "absent_ranks": "7-9",
      "members": [
        {
          "addr": "10.0.0.1:10001",
          "fabric_contexts": 4,
          "fabric_uri": "ofi+tcp://10.0.0.1:31416",
          "fault_domain": "/node1",
          "incarnation": 1,
          "info": "",
          "last_update": "2026-01-02T03:04:05Z",
          "rank": 0,
          "state": "joined",
          "uuid": "00000000-0000-0000-0000-000000000000"
        }
      ],
      "providers": [
        "ofi+tcp"
      ]
    }
    "#);
}

#[test]
fn an_empty_system_says_so() {
    assert_eq!(text(&query_report(&SystemQueryResp::default(), true)), "No ranks have joined the system yet\n");
}

#[test]
fn an_absent_rank_that_was_asked_for_fails_the_command() {
    let report = query_report(&SystemQueryResp { absent_ranks: "9".to_owned(), ..SystemQueryResp::default() }, false);
    assert_eq!(text(&report), "\nUnknown ranks: 9\n");
    let failure = report.failure.expect("rank 9 is not there");
    assert_eq!((failure.status, failure.message.as_str()), (Status::Nonexistent, "rank 9 is no member of the system"));
}

#[test]
fn engines_that_ended_before_they_joined_are_shown_with_the_reason() {
    let stranger = member(NO_RANK, "errored", "engine 0 did not start: exit code 1");
    let alone = query_report(&SystemQueryResp { members: vec![stranger.clone()], ..SystemQueryResp::default() }, false);
    insta::assert_snapshot!(text(&alone), @r"
    No ranks have joined the system yet

    Not joined: 10.0.0.1:10001: engine 0 did not start: exit code 1
    ");
    let failure = alone.failure.expect("there is no system to use");
    assert_eq!(failure.message, "no rank has joined; engine 0 did not start: exit code 1 on `10.0.0.1:10001`");
    let members = vec![member(0, "joined", ""), stranger];
    assert!(query_report(&SystemQueryResp { members, ..SystemQueryResp::default() }, true).failure.is_none());
}

#[test]
fn a_rank_that_did_not_stop_fails_the_command_but_not_the_table() {
    let result = |rank, errored, msg: &str| RankResult {
        rank,
        action: "stop".to_owned(),
        errored,
        msg: msg.to_owned(),
        state: "Stopped".to_owned(),
        addr: "10.0.0.1:10001".to_owned(),
    };
    let results = vec![result(0, false, ""), result(1, true, "did not stop in time"), result(2, false, "")];
    let report = ranks_report("stop", &SystemRanksResp { results, absent_ranks: String::new() });
    insta::assert_snapshot!(text(&report), @r"
    Rank  Operation Result
    ----  --------- ------
    [0,2] stop      OK
    1     stop      did not stop in time
    ");
    let failure = report.failure.expect("a rank failed");
    assert_eq!(failure.message, "system stop failed on rank 1: did not stop in time");
}

#[test]
fn the_leader_is_named_with_its_replicas() {
    let answer = LeaderQueryResp {
        current_leader: "10.0.0.1:10001".to_owned(),
        replicas: vec!["10.0.0.1:10001".to_owned(), "10.0.0.2:10001".to_owned()],
        down_replicas: vec!["10.0.0.2:10001".to_owned()],
    };
    insta::assert_snapshot!(text(&leader_report(&answer)), @r"
    Current Leader: 10.0.0.1:10001
       Replica Set: 10.0.0.1:10001, 10.0.0.2:10001
    Unresponsive Replicas: 10.0.0.2:10001
    ");
}

#[test]
fn states_are_printed_as_daos_prints_them() {
    assert_eq!(["joined", "awaitformat", ""].map(title_case), ["Joined", "AwaitFormat", ""]);
}
