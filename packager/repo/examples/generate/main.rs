//! Makes packages for `scripts/bench repo`: `generate FOLDER COUNT`. The same arguments give the same packages.

#![allow(clippy::disallowed_methods)] // a program of its own

mod package;

use std::path::PathBuf;

use package::package;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (Some(folder), Some(count)) = (arguments.next(), arguments.next().and_then(|count| count.parse::<u32>().ok()))
    else {
        eprintln!("usage: generate FOLDER COUNT");
        std::process::exit(2);
    };
    let folder = PathBuf::from(folder);
    std::fs::create_dir_all(&folder).expect("the folder can be made");
    for number in 0..count {
        package(number).write_to(&folder).expect("the package can be written");
    }
}
