//! `repo serve`: gives out the files of a folder over HTTP.

use std::io::Write as _;

use anyhow::Result;
use packager_repo::serve::{Server, Tls};
use serde_json::json;

use super::arguments::ServeOptions;
use crate::report::{Report, say};

pub(super) fn serve(options: &ServeOptions, json: bool) -> Result<Report> {
    let ServeOptions { folder, listen, tls_certificate, tls_key, quiet } = options;
    let tls = tls_certificate.clone().zip(tls_key.clone()).map(|(certificate, key)| Tls { certificate, key });
    let server = Server::listen(folder, *listen, tls.as_ref())?;
    let address = server.address()?;
    // Now, not in the end: whoever waits for the server reads it.
    let mut stdout = std::io::stdout().lock();
    if json {
        writeln!(stdout, "{}", json!({ "address": address, "folder": folder }))?;
    } else {
        writeln!(stdout, "serving {} at {address}", folder.display())?;
    }
    stdout.flush()?;
    drop(stdout);
    let quiet = *quiet;
    server.run(move |answered| {
        if !quiet {
            let bytes = answered.bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
            say!("{} {} {} {} {bytes}", answered.by, answered.method, answered.path, answered.status.as_u16());
        }
    })?;
    Ok(Report::silent())
}
