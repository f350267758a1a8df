//! `dmg system`: the members of the system, and stopping and starting them.

use agent::grpc::within;
use clap::Subcommand;
use serde_json::{Value, json};
use types::Status;
use wire::fault::Failure;
use wire::proto::mgmt::{
    LeaderQueryReq, LeaderQueryResp, RankResult, SystemMember, SystemQueryReq, SystemQueryResp, SystemRanksResp,
    SystemStartReq, SystemStopReq,
};

use super::{CHANGE_TIMEOUT, QUERY_TIMEOUT, Settings, ask};
use crate::output::{Report, Table, fold_ranks};

/// What to do with the system.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the engines of the system and their states
    Query {
        /// Only these ranks, as in 0-3,7
        #[arg(short, long, value_name = "RANKS")]
        ranks: Option<String>,
        /// One line per rank, with UUID, address, fault domain and reason
        #[arg(short, long)]
        verbose: bool,
    },
    /// Stop engines in good order
    Stop {
        /// Only these ranks, as in 0-3,7
        #[arg(short, long, value_name = "RANKS")]
        ranks: Option<String>,
        /// Kill engines that do not stop
        #[arg(long)]
        force: bool,
    },
    /// Start engines that were stopped
    Start {
        /// Only these ranks, as in 0-3,7
        #[arg(short, long, value_name = "RANKS")]
        ranks: Option<String>,
    },
    /// Show which server leads the management service
    LeaderQuery,
}

pub(super) async fn run(settings: &Settings, command: Command) -> Result<Report, Failure> {
    let sys = settings.system.clone();
    match command {
        Command::Query { ranks, verbose } => {
            let request = SystemQueryReq { sys, ranks: ranks.unwrap_or_default() };
            let answer = ask(settings, |mut service| {
                let request = within(QUERY_TIMEOUT, request.clone());
                async move { service.system_query(request).await }
            });
            Ok(query_report(&answer.await?, verbose))
        }
        Command::Stop { ranks, force } => {
            let request = SystemStopReq { sys, ranks: ranks.unwrap_or_default(), force };
            let answer = ask(settings, |mut service| {
                let request = within(CHANGE_TIMEOUT, request.clone());
                async move { service.system_stop(request).await }
            });
            Ok(ranks_report("stop", &answer.await?))
        }
        Command::Start { ranks } => {
            let request = SystemStartReq { sys, ranks: ranks.unwrap_or_default() };
            let answer = ask(settings, |mut service| {
                let request = within(CHANGE_TIMEOUT, request.clone());
                async move { service.system_start(request).await }
            });
            Ok(ranks_report("start", &answer.await?))
        }
        Command::LeaderQuery => {
            let request = LeaderQueryReq { sys };
            let answer = ask(settings, |mut service| {
                let request = within(QUERY_TIMEOUT, request.clone());
                async move { service.leader_query(request).await }
            });
            Ok(leader_report(&answer.await?))
        }
    }
}

/// `joined` as DAOS prints it for people.
fn title_case(state: &str) -> String {
    match state {
        "awaitformat" => "AwaitFormat".to_owned(),
        "adminexcluded" => "AdminExcluded".to_owned(),
        _ => {
            let mut letters = state.chars();
            letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
        }
    }
}

/// The rank of an engine that never joined, as the server sends it.
const NO_RANK: u32 = u32::MAX;

fn query_report(answer: &SystemQueryResp, verbose: bool) -> Report {
    let (strangers, joined): (Vec<SystemMember>, Vec<SystemMember>) =
        answer.members.iter().cloned().partition(|member| member.rank == NO_RANK);
    let mut text = match (joined.is_empty(), verbose) {
        (true, _) if !answer.absent_ranks.is_empty() => String::new(),
        (true, _) => "No ranks have joined the system yet\n".to_owned(),
        (false, true) => member_lines(&joined),
        (false, false) => state_lines(&joined),
    };
    text.push_str(&absent_line(&answer.absent_ranks));
    if !verbose {
        text.push_str(&reason_hint(&joined));
    }
    for stranger in &strangers {
        text.push_str(&format!("\nNot joined: {}: {}\n", stranger.addr, stranger.info));
    }
    // A rank that was asked for and is not there, or a system without a single rank because its engines end.
    let failure = match strangers.first() {
        _ if !answer.absent_ranks.is_empty() => Some(
            Failure::new(Status::Nonexistent, format!("rank {} is no member of the system", answer.absent_ranks))
                .with_resolution("`dmg system query` without --ranks shows the members there are"),
        ),
        Some(first) if joined.is_empty() => Some(
            Failure::new(Status::Misc, format!("no rank has joined; {} on `{}`", first.info, first.addr))
                .with_resolution("correct the cause and run `dmg system start`; daos_server's log says more"),
        ),
        _ => None,
    };
    let members: Vec<Value> = answer
        .members
        .iter()
        .map(|member| {
            json!({
                "rank": member.rank,
                "incarnation": member.incarnation,
                "uuid": member.uuid,
                "addr": member.addr,
                "fabric_uri": member.fabric_uri,
                "fabric_contexts": member.fabric_contexts,
                "state": member.state.to_lowercase(),
                "info": member.info,
                "fault_domain": member.fault_domain,
                "last_update": member.last_update,
            })
        })
        .collect();
    Report::new(text, json!({"members": members, "providers": answer.providers, "absent_ranks": answer.absent_ranks}))
        .failed(failure)
}

fn member_lines(members: &[SystemMember]) -> String {
    let mut table = Table::new(["Rank", "UUID", "Control Address", "Fault Domain", "State", "Reason"]);
    for member in members {
        table.row([
            member.rank.to_string(),
            member.uuid.clone(),
            member.addr.clone(),
            member.fault_domain.clone(),
            title_case(&member.state),
            member.info.clone(),
        ]);
    }
    table.render()
}

/// Ranks of one state on one line, in the order of their first rank.
fn state_lines(members: &[SystemMember]) -> String {
    let mut states: Vec<(&str, Vec<u32>)> = Vec::new();
    for member in members {
        match states.iter_mut().find(|(state, _)| *state == member.state) {
            Some((_, ranks)) => ranks.push(member.rank),
            None => states.push((&member.state, vec![member.rank])),
        }
    }
    let mut table = Table::new(["Rank", "State"]);
    for (state, ranks) in states {
        table.row([fold_ranks(&ranks), title_case(state)]);
    }
    table.render()
}

/// States in which a rank does not serve although nobody asked for that.
const BAD_STATES: [&str; 3] = ["errored", "excluded", "unresponsive"];

/// Where the reasons are that a line per state has no room for: of ranks in a bad state, and of those that serve with a
/// part of them out of service.
fn reason_hint(members: &[SystemMember]) -> String {
    let is = |member: &SystemMember, state: &str| member.state.eq_ignore_ascii_case(state);
    let has_reason = |member: &&SystemMember| {
        BAD_STATES.iter().any(|state| is(member, state)) || (is(member, "joined") && !member.info.is_empty())
    };
    let ranks: Vec<u32> = members.iter().filter(has_reason).map(|member| member.rank).collect();
    match ranks.len() {
        0 => String::new(),
        count => {
            let noun = if count == 1 { "rank" } else { "ranks" };
            format!("\nhint: `dmg system query --verbose` gives the reason for {noun} {}\n", fold_ranks(&ranks))
        }
    }
}

fn absent_line(absent: &str) -> String {
    if absent.is_empty() { String::new() } else { format!("\nUnknown ranks: {absent}\n") }
}

fn ranks_report(operation: &str, answer: &SystemRanksResp) -> Report {
    let text = format!("{}{}", result_lines(operation, answer), absent_line(&answer.absent_ranks));
    let results: Vec<Value> = answer
        .results
        .iter()
        .map(|result| {
            json!({
                "rank": result.rank,
                "action": action(operation, result),
                "errored": result.errored,
                "msg": result.msg,
                "state": result.state.to_lowercase(),
                "addr": result.addr,
            })
        })
        .collect();
    let errored: Vec<&RankResult> = answer.results.iter().filter(|result| result.errored).collect();
    let failure = (!errored.is_empty()).then(|| {
        let ranks: Vec<u32> = errored.iter().map(|result| result.rank).collect();
        let reason = errored.first().map_or("", |result| result.msg.as_str());
        Failure::new(Status::Misc, format!("system {operation} failed on rank {}: {reason}", fold_ranks(&ranks)))
            .with_resolution("read the log of daos_server on their hosts; `dmg system query -v` shows every rank")
    });
    Report::new(text, json!({"results": results, "absent_ranks": answer.absent_ranks})).failed(failure)
}

fn action<'r>(operation: &'r str, result: &'r RankResult) -> &'r str {
    if result.action.is_empty() { operation } else { &result.action }
}

fn result_lines(operation: &str, answer: &SystemRanksResp) -> String {
    if answer.results.is_empty() {
        return format!("No ranks to {operation}\n");
    }
    let mut groups: Vec<((&str, &str), Vec<u32>)> = Vec::new();
    for result in &answer.results {
        let key = (action(operation, result), if result.errored { result.msg.as_str() } else { "OK" });
        match groups.iter_mut().find(|(other, _)| *other == key) {
            Some((_, ranks)) => ranks.push(result.rank),
            None => groups.push((key, vec![result.rank])),
        }
    }
    let mut table = Table::new(["Rank", "Operation", "Result"]);
    for ((action, outcome), ranks) in groups {
        table.row([fold_ranks(&ranks), action.to_owned(), outcome.to_owned()]);
    }
    table.render()
}

fn leader_report(answer: &LeaderQueryResp) -> Report {
    let LeaderQueryResp { current_leader, replicas, down_replicas } = answer;
    let mut text = format!("Current Leader: {current_leader}\n   Replica Set: {}\n", replicas.join(", "));
    if !down_replicas.is_empty() {
        text.push_str(&format!("Unresponsive Replicas: {}\n", down_replicas.join(", ")));
    }
    Report::new(text, json!({"current_leader": current_leader, "replicas": replicas, "down_replicas": down_replicas}))
}

#[cfg(test)]
#[path = "system_tests.rs"]
mod tests;
