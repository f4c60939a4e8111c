//! The command phase of one client.
//!
//! Packets are read by a task of their own, so that a client that leaves is noticed while its query runs: the query is cancelled at
//! once. One command at a time; pipelined ones wait in a short queue.

use std::{collections::HashMap, sync::Arc, time::Duration};

use bytes::BytesMut;
use common_base::{Error, Result, bail, err, net::BoxedStream};
use common_types::LogicalType;
use fe_engine::{Engine, ResultColumn, Session, StatementResult, session::Prepared};
use tokio::{
    io::{ReadHalf, WriteHalf},
    sync::{mpsc, watch},
};

use super::{
    encode,
    handshake::{self, PacketSource},
    packet::{self, PacketWriter, Reader},
    params,
};
use crate::metrics::Metrics;

const QUIT: u8 = 0x01;
const INIT_DB: u8 = 0x02;
const QUERY: u8 = 0x03;
const FIELD_LIST: u8 = 0x04;
const PING: u8 = 0x0e;
const CHANGE_USER: u8 = 0x11;
const STMT_PREPARE: u8 = 0x16;
const STMT_EXECUTE: u8 = 0x17;
const STMT_SEND_LONG_DATA: u8 = 0x18;
const STMT_CLOSE: u8 = 0x19;
const STMT_RESET: u8 = 0x1a;
const SET_OPTION: u8 = 0x1b;
const RESET_CONNECTION: u8 = 0x1f;

const STATISTICS: u8 = 0x09;

/// Commands of the protocol that are refused, with their names. KILL, SHOW PROCESSLIST and the like are statements.
const REFUSED: &[(u8, &str)] = &[
    (0x00, "Sleep"),
    (0x05, "Create DB"),
    (0x06, "Drop DB"),
    (0x07, "Refresh"),
    (0x08, "Shutdown"),
    (0x0a, "Processlist"),
    (0x0b, "Connect"),
    (0x0c, "Kill"),
    (0x0d, "Debug"),
    (0x0f, "Time"),
    (0x10, "Delayed insert"),
    (0x1d, "Daemon"),
];

/// A killed client's statement has this long to end and to say so.
const KILL_GRACE: Duration = Duration::from_secs(5);

/// Statements longer than this are refused, whatever max_allowed_packet says.
const COMMAND_BYTES_MAX: usize = 1 << 30;

/// Packets of an open connection.
struct Packets {
    queue: mpsc::Receiver<Result<(u8, BytesMut)>>,
    failure: Option<Error>,
}

impl PacketSource for Packets {
    async fn next_packet(&mut self) -> Option<(u8, BytesMut)> {
        match self.queue.recv().await? {
            Ok(packet) => Some(packet),
            Err(e) => {
                self.failure = Some(e);
                None
            }
        }
    }
}

/// A statement of the binary protocol.
struct Statement {
    prepared: Prepared,
    types: Vec<u16>,
}

struct Connection {
    session: Session,
    metrics: Arc<Metrics>,
    packets: Packets,
    writer: PacketWriter<WriteHalf<BoxedStream>>,
    statements: HashMap<u32, Statement>,
    next_statement: u32,
}

/// Serves one client until it leaves.
pub async fn serve(engine: Arc<Engine>, metrics: Arc<Metrics>, stream: BoxedStream, client_host: &str) -> Result<()> {
    let (mut reader, writer) = tokio::io::split(stream);
    let mut writer = PacketWriter::new(writer);
    let session = handshake::run(&mut reader, &mut writer, &engine, client_host).await?;
    let (sender, queue) = mpsc::channel(4);
    let info = session.info.clone();
    let reading = tokio::spawn(async move {
        read_packets(reader, sender).await;
        info.kill_query(err!(Cancelled, "the client has gone"));
    });
    let mut killed = session.info.disconnected();
    let mut connection = Connection { session, metrics, packets: Packets { queue, failure: None }, writer, statements: HashMap::new(), next_statement: 1 };
    let ended = tokio::select! {
        ended = connection.run(killed.clone()) => ended,
        () = async {
            let _ = killed.wait_for(|k| *k).await;
            tokio::time::sleep(KILL_GRACE).await;
        } => Ok(()),
    };
    reading.abort();
    ended
}

async fn read_packets(mut reader: ReadHalf<BoxedStream>, sender: mpsc::Sender<Result<(u8, BytesMut)>>) {
    loop {
        let item = match packet::read(&mut reader, COMMAND_BYTES_MAX).await {
            Ok(Some(packet)) => Ok(packet),
            Ok(None) => return,
            Err(e) => Err(e),
        };
        let last = item.is_err();
        if sender.send(item).await.is_err() || last {
            return;
        }
    }
}

impl Connection {
    /// Answers commands until the client leaves or is killed; a killed client's running statement ends with its error first.
    async fn run(&mut self, mut killed: watch::Receiver<bool>) -> Result<()> {
        loop {
            let packet = tokio::select! {
                biased;
                _ = killed.wait_for(|k| *k) => return Ok(()),
                packet = self.packets.next_packet() => packet,
            };
            let Some((sequence, payload)) = packet else { break };
            self.writer.set_sequence(sequence.wrapping_add(1));
            if payload.first() == Some(&QUIT) {
                return Ok(());
            }
            self.metrics.statements.requests.inc();
            let clock = self.session.engine.clock.clone();
            let begun = clock.monotonic();
            let answered = self.command(&payload).await;
            self.session.end();
            if matches!(payload.first(), Some(&(QUERY | STMT_EXECUTE))) {
                self.metrics.query_ended(clock.monotonic().saturating_sub(begun), answered.as_ref().err());
            }
            if let Err(e) = answered {
                encode::error(&mut self.writer, &e).await?;
            }
            self.writer.flush().await?;
        }
        if let Some(e) = self.packets.failure.take() {
            // The client may still be listening: say why it is cut off.
            encode::error(&mut self.writer, &e).await?;
            self.writer.flush().await?;
        }
        Ok(())
    }

    /// Answers one command; an error goes out as an ERR packet.
    async fn command(&mut self, payload: &[u8]) -> Result<()> {
        let Some((command, body)) = payload.split_first() else { bail!(UnknownCommand, "Unknown command(null)") };
        match *command {
            INIT_DB => {
                self.session.find_and_use_database(utf8(body)?).await?;
                encode::ok(&mut self.writer, 0, "", false).await
            }
            QUERY => self.query(utf8(without_trailing_zeros(body))?).await,
            FIELD_LIST => self.field_list(body).await,
            PING => encode::ok(&mut self.writer, 0, "", false).await,
            STATISTICS => {
                let sessions = self.session.engine.sessions.all().len();
                self.writer.packet(|out| out.extend_from_slice(format!("Threads: {sessions}").as_bytes())).await
            }
            CHANGE_USER => {
                self.session = handshake::change_user(&mut self.packets, &mut self.writer, &self.session, body).await?;
                self.statements.clear();
                encode::ok(&mut self.writer, 0, "", false).await
            }
            RESET_CONNECTION => {
                self.session.reset();
                self.statements.clear();
                encode::ok(&mut self.writer, 0, "", false).await
            }
            STMT_PREPARE => self.prepare(utf8(body)?).await,
            STMT_EXECUTE => self.execute(body).await,
            STMT_CLOSE => {
                self.statements.remove(&(Reader::new(body).int(4)? as u32));
                Ok(()) // no answer by the protocol
            }
            STMT_RESET => {
                let id = Reader::new(body).int(4)? as u32;
                self.statement(id)?;
                encode::ok(&mut self.writer, 0, "", false).await
            }
            STMT_SEND_LONG_DATA => Ok(()), // no answer by the protocol; the execute that needs it fails
            SET_OPTION => encode::eof(&mut self.writer, false).await, // several statements in one packet are always on
            other => match REFUSED.iter().find(|(code, _)| *code == other) {
                Some((_, name)) => bail!(NotSupported, "Unsupported command({name})"),
                None => bail!(UnknownCommand, "Unknown command(null)"),
            },
        }
    }

    async fn query(&mut self, text: &str) -> Result<()> {
        let options = self.session.parse_options();
        let mut statements = fe_parser::statements(text, &options);
        let Some(mut current) = statements.next() else {
            // Nothing but blanks and comments.
            return encode::ok(&mut self.writer, 0, "", false).await;
        };
        loop {
            let statement = current?;
            let next = statements.next();
            let result = self.session.execute(&statement).await?;
            self.answer(result, false, next.is_some()).await?;
            match next {
                Some(next) => current = next,
                None => return Ok(()),
            }
        }
    }

    async fn answer(&mut self, result: StatementResult, binary: bool, more: bool) -> Result<()> {
        match result {
            StatementResult::Done { affected_rows, info } => encode::ok(&mut self.writer, affected_rows, &info, more).await,
            StatementResult::Rows(mut rows) => {
                // The first chunk before the head: an error then goes out as a plain error.
                let mut chunk = rows.next().await?;
                encode::columns(&mut self.writer, &rows.columns).await?;
                while let Some(ready) = chunk {
                    if binary {
                        encode::binary_rows(&mut self.writer, &ready).await?;
                    } else {
                        encode::text_rows(&mut self.writer, &ready).await?;
                    }
                    chunk = rows.next().await?;
                }
                encode::eof(&mut self.writer, more).await
            }
        }
    }

    async fn field_list(&mut self, body: &[u8]) -> Result<()> {
        let table = utf8(Reader::new(body).until_zero())?.to_owned();
        let columns = self.session.table_columns(&table)?;
        let database = self.session.database.clone().unwrap_or_default();
        for column in &columns {
            self.writer.packet(|out| encode::field(out, &database, &table, column)).await?;
        }
        encode::eof(&mut self.writer, false).await
    }

    async fn prepare(&mut self, text: &str) -> Result<()> {
        if !self.session.variables.get_bool("enable_prepare_stmt") {
            bail!(PreparedUnsupported, "This command is not supported in the prepared statement protocol yet");
        }
        let prepared = self.session.prepare(text)?;
        let columns = self.session.describe(&prepared)?;
        let id = self.next_statement;
        self.next_statement += 1;
        let parameters = prepared.parameters;
        self.writer
            .packet(|out| {
                out.push(0);
                out.extend_from_slice(&id.to_le_bytes());
                out.extend_from_slice(&(columns.len() as u16).to_le_bytes());
                out.extend_from_slice(&(parameters as u16).to_le_bytes());
                out.extend_from_slice(&[0, 0, 0]);
            })
            .await?;
        if parameters > 0 {
            let marks = vec![ResultColumn { name: "?".to_owned(), ty: LogicalType::varchar() }; parameters];
            encode::definitions(&mut self.writer, &marks).await?;
        }
        if !columns.is_empty() {
            encode::definitions(&mut self.writer, &columns).await?;
        }
        self.statements.insert(id, Statement { prepared, types: Vec::new() });
        Ok(())
    }

    fn statement(&mut self, id: u32) -> Result<&mut Statement> {
        self.statements.get_mut(&id).ok_or_else(|| err!(InvalidArgument, "Unknown prepared statement handler ({id}) given to the server"))
    }

    async fn execute(&mut self, body: &[u8]) -> Result<()> {
        let mut fields = Reader::new(body);
        let id = fields.int(4)? as u32;
        fields.int(5)?; // cursor flags and iteration count: cursors are not offered
        let statement = self.statement(id)?;
        let values = params::decode(&mut fields, statement.prepared.parameters, &mut statement.types)?;
        let parsed = statement.prepared.statement.clone();
        let result = self.session.execute_with(&parsed, &values).await?;
        self.answer(result, true, false).await
    }
}

/// Some clients end the text of a query with zero bytes.
fn without_trailing_zeros(body: &[u8]) -> &[u8] {
    let end = body.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    &body[..end]
}

fn utf8(bytes: &[u8]) -> Result<&str> {
    std::str::from_utf8(bytes).map_err(|e| err!(InvalidArgument, "the statement is not valid UTF-8 at byte {}", e.valid_up_to()))
}
