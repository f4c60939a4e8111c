//! The MySQL protocol as a client speaks it: log in without a password, send a statement, read text rows.

use common_base::net::BoxedStream;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{dial, patiently};
use crate::net::SimNet;

/// LONG_PASSWORD, PROTOCOL_41, TRANSACTIONS, SECURE_CONNECTION, PLUGIN_AUTH.
const CAPABILITIES: u32 = 0x1 | 0x200 | 0x2000 | 0x8000 | 0x8_0000;
const NULL: u8 = 0xfb;

/// Rows of text; `None` is NULL.
pub type Rows = Vec<Vec<Option<String>>>;

/// A connection.
pub struct MySql {
    stream: BoxedStream,
}

fn broken(e: impl std::fmt::Display) -> String {
    format!("connection lost: {e}")
}

impl MySql {
    /// Logs in as root.
    pub async fn connect(net: &SimNet, address: &str) -> Result<Self, String> {
        patiently("login", async {
            let stream = dial(net, address).await?;
            let mut client = Self { stream };
            let _greeting = client.packet().await?;
            let mut login = Vec::new();
            login.extend_from_slice(&CAPABILITIES.to_le_bytes());
            login.extend_from_slice(&(1_u32 << 24).to_le_bytes());
            login.push(33);
            login.extend_from_slice(&[0; 23]);
            login.extend_from_slice(b"root\0");
            login.push(0);
            login.extend_from_slice(b"mysql_native_password\0");
            client.send(1, &login).await?;
            let answer = client.packet().await?;
            match answer.first() {
                Some(0) => Ok(client),
                _ => Err(error_text(&answer)),
            }
        })
        .await
    }

    /// Runs a statement. The error is the server's text, or what became of the connection.
    pub async fn query(&mut self, sql: &str) -> Result<Rows, String> {
        patiently(sql, async {
            let mut command = vec![3];
            command.extend_from_slice(sql.as_bytes());
            self.send(0, &command).await?;
            let first = self.packet().await?;
            match first.first() {
                Some(0) => return Ok(Rows::new()),
                Some(0xff) => return Err(error_text(&first)),
                _ => {}
            }
            let (columns, _) = length(&first);
            for _ in 0..columns {
                self.packet().await?;
            }
            self.packet().await?;
            let mut rows = Rows::new();
            loop {
                let packet = self.packet().await?;
                match packet.first() {
                    Some(0xfe) if packet.len() < 9 => return Ok(rows),
                    Some(0xff) => return Err(error_text(&packet)),
                    _ => rows.push(row(&packet)),
                }
            }
        })
        .await
    }

    async fn send(&mut self, sequence: u8, payload: &[u8]) -> Result<(), String> {
        let mut packet = (payload.len() as u32).to_le_bytes();
        packet[3] = sequence;
        let mut bytes = packet.to_vec();
        bytes.extend_from_slice(payload);
        self.stream.write_all(&bytes).await.map_err(broken)?;
        self.stream.flush().await.map_err(broken)
    }

    async fn packet(&mut self) -> Result<Vec<u8>, String> {
        let mut head = [0; 4];
        self.stream.read_exact(&mut head).await.map_err(broken)?;
        let len = u32::from_le_bytes([head[0], head[1], head[2], 0]) as usize;
        let mut payload = vec![0; len];
        self.stream.read_exact(&mut payload).await.map_err(broken)?;
        Ok(payload)
    }
}

/// `0xff`, two bytes of code, `#` and five of state, the text.
fn error_text(packet: &[u8]) -> String {
    String::from_utf8_lossy(packet.get(9..).unwrap_or_default()).into_owned()
}

/// A length-encoded integer and the bytes it takes.
fn length(bytes: &[u8]) -> (usize, usize) {
    let number = |n: usize| bytes[1..=n].iter().rev().fold(0, |v, b| v << 8 | usize::from(*b));
    match bytes[0] {
        0xfc => (number(2), 3),
        0xfd => (number(3), 4),
        0xfe => (number(8), 9),
        small => (usize::from(small), 1),
    }
}

fn row(mut packet: &[u8]) -> Vec<Option<String>> {
    let mut values = Vec::new();
    while let Some(first) = packet.first() {
        if *first == NULL {
            values.push(None);
            packet = &packet[1..];
            continue;
        }
        let (len, head) = length(packet);
        values.push(Some(String::from_utf8_lossy(&packet[head..head + len]).into_owned()));
        packet = &packet[head + len..];
    }
    values
}
