//! The connection phase: greeting, authentication (native password, switching other plugins to it), the requested database.

use std::sync::Arc;

use common_base::{ErrorCode, Result, bail, err};
use fe_engine::{Engine, Session, auth};
use opensrv_mysql::CapabilityFlags;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    encode,
    packet::{self, PacketWriter, Reader},
};

/// What this server says it can do. Several statements in one packet work whether or not a client asks for them, so neither
/// they nor their results are announced.
pub fn server_capabilities() -> CapabilityFlags {
    CapabilityFlags::CLIENT_LONG_FLAG
        | CapabilityFlags::CLIENT_CONNECT_WITH_DB
        | CapabilityFlags::CLIENT_PROTOCOL_41
        | CapabilityFlags::CLIENT_SECURE_CONNECTION
        | CapabilityFlags::CLIENT_PLUGIN_AUTH
        | CapabilityFlags::CLIENT_CONNECT_ATTRS
        | CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA
}

const NATIVE: &[u8] = b"mysql_native_password";
/// Handshake packets are small; anything larger is not a client.
const HANDSHAKE_BYTES_MAX: usize = 1 << 20;

/// Who the client says it is.
struct Login {
    user: String,
    database: Option<String>,
    answer: Vec<u8>,
    plugin: Vec<u8>,
}

/// Greets and authenticates; an error was already sent to the client when it is returned.
pub async fn run<R, W>(reader: &mut R, writer: &mut PacketWriter<W>, engine: &Arc<Engine>, client_host: &str) -> Result<Session>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let id = engine.sessions.next_id(engine.meta.node_id());
    let challenge = challenge(engine);
    let version = engine.setting("mysql_server_version");
    writer.packet(|out| greeting(out, id, &challenge, &version)).await?;
    writer.flush().await?;
    let Some((sequence, payload)) = packet::read(reader, HANDSHAKE_BYTES_MAX).await? else { bail!(NetworkError, "the client left before logging in") };
    writer.set_sequence(sequence.wrapping_add(1));
    let result = async {
        let mut login = parse_response(&payload)?;
        if login.plugin != NATIVE {
            (login.answer, ()) = (switch_plugin(reader, writer, &challenge).await?, ());
        }
        let open = |user: &str, host: &str| Session::open(engine.clone(), id, user, host, client_host);
        match log_in(engine, &login, &challenge, client_host, open) {
            // A frontend that does not lead may not know yet what was made a moment ago.
            Err(e) if matches!(e.code(), ErrorCode::AccessDenied | ErrorCode::UnknownDatabase) && engine.catch_up_once().await => {
                log_in(engine, &login, &challenge, client_host, open).map_err(|_| e)
            }
            outcome => outcome,
        }
    }
    .await;
    match result {
        Ok(session) => {
            encode::ok(writer, 0, "", false).await?;
            writer.flush().await?;
            Ok(session)
        }
        Err(e) => {
            encode::error(writer, &e).await?;
            writer.flush().await?;
            Err(e)
        }
    }
}

/// Authenticates again on an open connection (COM_CHANGE_USER).
pub async fn change_user<R, W>(reader: &mut R, writer: &mut PacketWriter<W>, session: &Session, payload: &[u8]) -> Result<Session>
where
    R: PacketSource,
    W: AsyncWrite + Unpin,
{
    let mut fields = Reader::new(payload);
    let user = text(fields.until_zero())?;
    let len = fields.int(1)? as usize;
    fields.bytes(len)?;
    let database = text(fields.until_zero())?;
    let engine = session.engine.clone();
    let challenge = challenge(&engine);
    writer.packet(|out| switch_request(out, &challenge)).await?;
    writer.flush().await?;
    let Some((sequence, answer)) = reader.next_packet().await else { bail!(NetworkError, "the client left while changing its user") };
    writer.set_sequence(sequence.wrapping_add(1));
    let login = Login { user, database: (!database.is_empty()).then_some(database), answer: answer.to_vec(), plugin: NATIVE.to_vec() };
    log_in(&engine, &login, &challenge, &session.client_host, |user, host| Session::open_over(session, user, host))
}

/// Where packets of an open connection come from.
pub trait PacketSource {
    /// The next packet and its number; `None` when the client has gone.
    fn next_packet(&mut self) -> impl Future<Output = Option<(u8, bytes::BytesMut)>> + Send;
}

fn log_in(engine: &Engine, login: &Login, challenge: &[u8; 20], client_host: &str, open: impl FnOnce(&str, &str) -> Session) -> Result<Session> {
    let using = if login.answer.is_empty() { "NO" } else { "YES" };
    let denied = || err!(AccessDenied, "Access denied for user '{}' (using password: {using})", login.user);
    let catalog = engine.meta.snapshot();
    let account = catalog.user(&login.user, client_host).ok_or_else(denied)?;
    if !auth::check_native(&account.password_hash, challenge, &login.answer) {
        return Err(denied());
    }
    engine.sessions.check_room(&login.user, engine.setting_in(&catalog, "qe_max_connection").parse().unwrap_or(usize::MAX))?;
    let mut session = open(&login.user, &account.host);
    if let Some(database) = login.database.as_deref().filter(|d| !d.is_empty()) {
        session.use_database(database)?;
    }
    Ok(session)
}

async fn switch_plugin<R, W>(reader: &mut R, writer: &mut PacketWriter<W>, challenge: &[u8; 20]) -> Result<Vec<u8>>
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    writer.packet(|out| switch_request(out, challenge)).await?;
    writer.flush().await?;
    let Some((sequence, answer)) = packet::read(reader, HANDSHAKE_BYTES_MAX).await? else { bail!(NetworkError, "the client left while logging in") };
    writer.set_sequence(sequence.wrapping_add(1));
    Ok(answer.to_vec())
}

fn switch_request(out: &mut Vec<u8>, challenge: &[u8; 20]) {
    out.push(0xfe);
    out.extend_from_slice(NATIVE);
    out.push(0);
    out.extend_from_slice(challenge);
    out.push(0);
}

/// Twenty random bytes without zeros: clients treat them as a string.
fn challenge(engine: &Engine) -> [u8; 20] {
    let mut bytes = [0; 20];
    for chunk in bytes.chunks_mut(8) {
        let random = engine.rng.next_u64().to_le_bytes();
        for (byte, r) in chunk.iter_mut().zip(random) {
            *byte = 33 + r % 94;
        }
    }
    bytes
}

fn greeting(out: &mut Vec<u8>, id: u32, challenge: &[u8; 20], version: &str) {
    let capabilities = server_capabilities().bits().to_le_bytes();
    out.push(10);
    out.extend_from_slice(version.as_bytes());
    out.push(0);
    out.extend_from_slice(&id.to_le_bytes());
    out.extend_from_slice(&challenge[..8]);
    out.push(0);
    out.extend_from_slice(&capabilities[..2]);
    out.push(encode::CHARSET_UTF8);
    out.extend_from_slice(&[0, 0]); // status
    out.extend_from_slice(&capabilities[2..4]);
    out.push(challenge.len() as u8 + 1);
    out.extend_from_slice(&[0; 10]);
    out.extend_from_slice(&challenge[8..]);
    out.push(0);
    out.extend_from_slice(NATIVE);
    out.push(0);
}

fn parse_response(payload: &[u8]) -> Result<Login> {
    let mut fields = Reader::new(payload);
    let flags = CapabilityFlags::from_bits_truncate(fields.int(4)? as u32);
    if !flags.contains(CapabilityFlags::CLIENT_PROTOCOL_41) {
        bail!(NotSupported, "The client is too old: protocol 4.1 is required");
    }
    if flags.contains(CapabilityFlags::CLIENT_SSL) {
        bail!(NotSupported, "TLS is not enabled on this server");
    }
    fields.int(4)?; // largest packet
    fields.int(1)?; // charset: all text is UTF-8 here
    fields.bytes(23)?;
    let user = text(fields.until_zero())?;
    let answer = if flags.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH_LENENC_CLIENT_DATA) {
        fields.lenenc_bytes()?.to_vec()
    } else if flags.contains(CapabilityFlags::CLIENT_SECURE_CONNECTION) {
        let len = fields.int(1)? as usize;
        fields.bytes(len)?.to_vec()
    } else {
        fields.until_zero().to_vec()
    };
    let database = if flags.contains(CapabilityFlags::CLIENT_CONNECT_WITH_DB) { Some(text(fields.until_zero())?) } else { None };
    let plugin = if flags.contains(CapabilityFlags::CLIENT_PLUGIN_AUTH) { fields.until_zero().to_vec() } else { NATIVE.to_vec() };
    Ok(Login { user, database, answer, plugin })
}

fn text(bytes: &[u8]) -> Result<String> {
    String::from_utf8(bytes.to_vec()).map_err(|_| err!(InvalidArgument, "Malformed communication packet."))
}
