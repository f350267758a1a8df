//! `daos` as a whole: its arguments, and what it says when the agent is away.

use clap::{CommandFactory, Parser};

use super::{Cli, Command};

#[test]
fn the_arguments_do_not_contradict_each_other() {
    Cli::command().debug_assert();
}

#[test]
fn every_command_has_a_description() {
    fn check(command: &clap::Command) {
        for sub in command.get_subcommands() {
            assert!(sub.get_about().is_some(), "{}", sub.get_name());
            check(sub);
        }
        for argument in command.get_arguments() {
            assert!(argument.get_help().is_some(), "{} {}", command.get_name(), argument.get_id());
        }
    }
    check(&Cli::command());
}

#[test]
fn short_names_and_global_options_are_taken_anywhere() {
    let cli = Cli::try_parse_from(["daos", "cont", "ls", "tank", "--json", "-G", "other"]).unwrap();
    assert!(matches!(cli.command, Command::Container(_)) && cli.globals.json);
    assert_eq!(cli.globals.sys_name, "other");
    assert!(Cli::try_parse_from(["daos", "cont", "create", "tank", "bad label"]).is_err());
    assert!(Cli::try_parse_from(["daos", "cont", "create", "bad/pool"]).is_err());
}
