//! The `daos_engine` program; everything is in the library.

fn main() -> std::process::ExitCode {
    daos_node::run()
}
