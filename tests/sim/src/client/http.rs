//! HTTP/1.1 as a loading client speaks it: ask first (`Expect: 100-continue`), follow the redirect to a backend, send the body there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use common_base::net::BoxedStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{dial, patiently};
use crate::net::SimNet;

/// A load's request.
#[derive(Clone, Default)]
pub struct Put<'a> {
    /// `db/table`.
    pub table: &'a str,
    pub label: &'a str,
    /// The fields of a line; the table's columns when empty.
    pub columns: &'a str,
    pub body: &'a [u8],
}

fn broken(e: impl std::fmt::Display) -> String {
    format!("connection lost: {e}")
}

/// Where a frontend sends the load: `host:port`.
pub async fn redirect(net: &SimNet, fe: &str, put: &Put<'_>) -> Result<String, String> {
    patiently("redirect", async {
        let mut stream = open(net, fe, put).await?;
        let head = head(&mut stream).await?;
        let status = status(&head);
        if status != 307 {
            let mut rest = String::new();
            let _ = stream.read_to_string(&mut rest).await;
            return Err(format!("HTTP {status}: {rest}"));
        }
        let location = head.lines().find_map(|l| l.to_ascii_lowercase().starts_with("location:").then(|| l[9..].trim().to_owned()));
        let location = location.ok_or("a redirect without a location")?;
        Ok(location.trim_start_matches("http://").split('/').next().unwrap_or_default().to_owned())
    })
    .await
}

/// Sends the body to a backend; the answer's JSON.
pub async fn send(net: &SimNet, backend: &str, put: &Put<'_>) -> Result<serde_json::Value, String> {
    patiently("load", async {
        let mut stream = open(net, backend, put).await?;
        let first = head(&mut stream).await?;
        if status(&first) == 100 {
            stream.write_all(put.body).await.map_err(broken)?;
            head(&mut stream).await?;
        }
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.map_err(broken)?;
        serde_json::from_slice(&answer).map_err(|e| format!("not JSON ({e}): {}", String::from_utf8_lossy(&answer)))
    })
    .await
}

async fn open(net: &SimNet, address: &str, put: &Put<'_>) -> Result<BoxedStream, String> {
    let mut stream = dial(net, address).await?;
    let head = format!(
        "PUT /api/{}/_stream_load HTTP/1.1\r\nHost: {address}\r\nAuthorization: Basic {}\r\nlabel: {}\r\ncolumn_separator: ,\r\ntimeout: 20\r\n\
         {}Expect: 100-continue\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        put.table,
        STANDARD.encode("root:"),
        put.label,
        if put.columns.is_empty() { String::new() } else { format!("columns: {}\r\n", put.columns) },
        put.body.len()
    );
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    Ok(stream)
}

/// One response's head, up to the empty line.
async fn head(stream: &mut BoxedStream) -> Result<String, String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        bytes.push(stream.read_u8().await.map_err(broken)?);
    }
    String::from_utf8(bytes).map_err(broken)
}

fn status(head: &str) -> u16 {
    head.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or(0)
}
