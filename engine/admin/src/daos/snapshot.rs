//! `daos container create-snap`, `list-snaps` and `destroy-snap`: the arguments, and snapshots as text and JSON.

use clap::Args;
use client::{Container, Snapshot};
use serde_json::{Value, json};
use types::{Epoch, Label, Reference, Status};
use wire::fault::Failure;

use super::kv::epoch;
use crate::output::{Report, utc_of_epoch};

/// Which snapshots to destroy.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Which {
    /// Name of the snapshot
    #[arg(short = 's', long = "snap", value_name = "NAME")]
    pub name: Option<Label>,
    /// Epoch of the snapshot, as create-snap and list-snaps print it
    #[arg(short = 'e', long = "epc", value_name = "EPOCH", value_parser = epoch)]
    pub epoch: Option<Epoch>,
    /// All snapshots from epoch BEGIN to epoch END, both included
    #[arg(short = 'r', long = "epcrange", value_name = "BEGIN-END", value_parser = range)]
    pub range: Option<(Epoch, Epoch)>,
}

impl Which {
    fn takes(&self, snapshot: &Snapshot) -> bool {
        self.name.as_ref().is_some_and(|name| name.as_str() == snapshot.name)
            || self.epoch == Some(snapshot.epoch)
            || self.range.is_some_and(|(begin, end)| (begin..=end).contains(&snapshot.epoch))
    }

    fn shown(&self) -> String {
        match (&self.name, self.epoch, self.range) {
            (Some(name), _, _) => format!("named `{name}`"),
            (_, Some(epoch), _) => format!("of epoch {epoch}"),
            (_, _, Some((begin, end))) => format!("from epoch {begin} to {end}"),
            (None, None, None) => "that was asked for".to_owned(),
        }
    }
}

pub(super) async fn create(container: &Container, name: Option<Label>) -> Result<Report, Failure> {
    let name = name.map(String::from).unwrap_or_default();
    Ok(created_report(&container.create_snapshot(&name).await?))
}

pub(super) async fn list(container: &Container) -> Result<Report, Failure> {
    Ok(list_report(&container.snapshots().await?))
}

pub(super) async fn destroy(container: &Container, shown: &Reference, which: &Which) -> Result<Report, Failure> {
    let epochs = chosen(&container.snapshots().await?, shown, which)?;
    container.destroy_snapshots(&epochs).await?;
    let lines: String = epochs.iter().map(|epoch| format!("snapshot/epoch {epoch} has been destroyed\n")).collect();
    Ok(Report::new(lines, Value::Null))
}

fn chosen(all: &[Snapshot], container: &Reference, which: &Which) -> Result<Vec<Epoch>, Failure> {
    let epochs: Vec<Epoch> = all.iter().filter(|one| which.takes(one)).map(|one| one.epoch).collect();
    if epochs.is_empty() {
        let text = format!("container {container} has no snapshot {}", which.shown());
        return Err(Failure::new(Status::Nonexistent, text)
            .with_resolution("see `daos container list-snaps` for the snapshots of the container"));
    }
    Ok(epochs)
}

fn created_report(snapshot: &Snapshot) -> Report {
    Report::new(format!("snapshot/epoch {} has been created\n", snapshot.epoch), json_of(snapshot))
}

fn list_report(snapshots: &[Snapshot]) -> Report {
    let mut text = "Container's snapshots :\n".to_owned();
    if snapshots.is_empty() {
        text.push_str("no snapshots\n");
    }
    for snapshot in snapshots {
        let state = if snapshot.destroying { " (its destroy was interrupted: destroy it again)" } else { "" };
        text.push_str(format!("{} {}{state}", snapshot.epoch, snapshot.name).trim_end());
        text.push('\n');
    }
    let response: Vec<Value> = snapshots.iter().map(json_of).collect();
    Report::new(text, json!(response))
}

/// DAOS's: the name only when there is one. Ours in addition: `destroying`, only when it is so.
fn json_of(snapshot: &Snapshot) -> Value {
    let mut value = json!({"epoch": snapshot.epoch.0, "timestamp": utc_of_epoch(snapshot.epoch)});
    if !snapshot.name.is_empty() {
        value["name"] = json!(snapshot.name);
    }
    if snapshot.destroying {
        value["destroying"] = json!(true);
    }
    value
}

/// `BEGIN-END`, each as an epoch is printed or in decimal.
fn range(text: &str) -> Result<(Epoch, Epoch), String> {
    let (begin, end) = text
        .split_once('-')
        .ok_or_else(|| format!("`{text}` is not a range of epochs: two of them with a dash between, `BEGIN-END`"))?;
    let (begin, end) = (epoch(begin)?, epoch(end)?);
    if begin > end {
        return Err(format!("`{text}` ends before it begins"));
    }
    Ok((begin, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    use crate::daos::container::Command as Container;
    use crate::daos::{Cli, Command};

    fn which(arguments: &[&str]) -> Option<Which> {
        let words = [&["daos", "cont", "destroy-snap", "tank", "data"][..], arguments].concat();
        match Cli::try_parse_from(words).ok()?.command {
            Command::Container(Container::DestroySnap { which, .. }) => Some(which),
            other => panic!("{other:?}"),
        }
    }

    fn snapshots() -> Vec<Snapshot> {
        let one = |epoch, name: &str| Snapshot { epoch: Epoch(epoch), name: name.to_owned(), destroying: false };
        vec![one(1 << 40, "first"), one(2 << 40, ""), Snapshot { destroying: true, ..one(3 << 40, "last") }]
    }

    #[test]
    fn snapshots_are_chosen_by_name_epoch_and_range() {
        let container: Reference = "data".parse().unwrap();
        let epochs = |arguments: &[&str]| {
            let chosen = chosen(&snapshots(), &container, &which(arguments).unwrap());
            chosen.map(|epochs| epochs.iter().map(|epoch| epoch.0 >> 40).collect::<Vec<_>>())
        };
        assert_eq!(epochs(&["--snap", "first"]), Ok(vec![1]));
        assert_eq!(epochs(&["--epc", "0x20000000000"]), Ok(vec![2]));
        assert_eq!(epochs(&["-e", "1099511627776"]), Ok(vec![1]));
        assert_eq!(epochs(&["--epcrange", "0x10000000001-0x30000000000"]), Ok(vec![2, 3]));
        for (arguments, what) in [
            (["-s", "other"], "has no snapshot named `other`"),
            (["-e", "7"], "has no snapshot of epoch 0x7"),
            (["-r", "5-9"], "has no snapshot from epoch 0x5 to 0x9"),
        ] {
            let failure = epochs(&arguments).unwrap_err();
            assert_eq!(failure.status, Status::Nonexistent);
            assert!(failure.message.ends_with(what), "{failure}");
        }
    }

    #[test]
    fn exactly_one_choice_is_made_and_it_makes_sense() {
        for wrong in
            [&[] as &[&str], &["-s", "a", "-e", "1"], &["-r", "5"], &["-r", "9-5"], &["-e", "x"], &["-s", "a b"]]
        {
            assert!(which(wrong).is_none(), "{wrong:?}");
        }
    }

    #[test]
    fn snapshots_are_listed_as_daos_lists_them() {
        let report = list_report(&snapshots());
        assert_eq!(
            report.response,
            json!([
                {"epoch": 1u64 << 40, "timestamp": "2021-01-01T00:01:08Z", "name": "first"},
                {"epoch": 2u64 << 40, "timestamp": "2021-01-01T00:02:17Z"},
                {"epoch": 3u64 << 40, "timestamp": "2021-01-01T00:03:26Z", "name": "last", "destroying": true},
            ])
        );
        insta::assert_snapshot!(String::from_utf8(report.text).unwrap(), @r"
        Container's snapshots :
        0x10000000000 first
        0x20000000000
        0x30000000000 last (its destroy was interrupted: destroy it again)
        ");
        let none = list_report(&[]);
        assert_eq!(
            (String::from_utf8(none.text).unwrap().as_str(), none.response),
            ("Container's snapshots :\nno snapshots\n", json!([]))
        );
        assert_eq!(created_report(&snapshots()[0]).text, b"snapshot/epoch 0x10000000000 has been created\n");
    }
}
