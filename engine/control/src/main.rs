//! `daos_server`.

fn main() -> std::process::ExitCode {
    fabric::own_signals();
    control::cli::main()
}
