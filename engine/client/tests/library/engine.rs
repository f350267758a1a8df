//! A rank: the data port over its shards, and what it can be told to do wrong.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use fabric::Inbound;
use prost::Message;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use types::{Answer, Outcome, Rank, Status};
use wire::frame::{Frame, Kind, MAX_BODY_BYTES, MAX_OPERATIONS, VERSION};
use wire::hello::{Hello, HelloReply, Refusal, SERVICE_TARGET};
use wire::operation::{Request, encode_answers};

use crate::fake::{SYSTEM, Shared};

/// Requests of one connection under way at once.
pub(crate) const MAX_IN_FLIGHT: u16 = 100;

/// What is done with the next request instead of answering it well.
#[derive(Debug, Clone)]
pub(crate) enum Trick {
    /// The connection ends and nothing was done.
    CloseBefore,
    /// It is done, and the connection ends before the answer.
    CloseAfter,
    /// It is done, and the connection ends with a refusal.
    RefuseAfter(Status),
    /// It is done, and no answer ever comes.
    Silence,
    /// A bit of the data that was read has flipped; the checksums are those of its writer.
    FlipBit,
    /// Bytes that are no frame.
    Garbage,
    /// A frame with one answer less than there were operations.
    OneLess,
    /// These answers, whatever was asked.
    Instead(Vec<Answer>),
}

/// Serves `rank` on `listener` until dropped; its connections end with it.
pub(crate) async fn serve(rank: Rank, listener: TcpListener, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((socket, _)) = listener.accept().await else { return };
        let shared = shared.clone();
        connections.spawn(async move {
            // The other side may close at any time.
            let _ = converse(rank, socket, &shared).await;
        });
    }
}

async fn converse(rank: Rank, mut socket: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut inbound = Inbound::new(MAX_BODY_BYTES);
    let Some(frame) = next(&mut socket, &mut inbound).await? else { return Ok(()) };
    let hello = Hello::decode(frame.body).expect("the library says hello first");
    if hello.system != SYSTEM {
        let refusal = Refusal::new(Status::Invalid, format!("this engine belongs to `{SYSTEM}`"));
        return send(&mut socket, refusal.encode().into_frame(Kind::Refusal, 0, 0)).await;
    }
    let reply = HelloReply {
        version: VERSION,
        rank,
        incarnation: 1,
        max_body: MAX_BODY_BYTES as u32,
        max_operations: MAX_OPERATIONS,
        max_in_flight: MAX_IN_FLIGHT,
    };
    send(&mut socket, reply.encode().into_frame(Kind::HelloReply, 0, 0)).await?;
    shared.state().connections += 1;
    let mut held = Vec::new();
    while let Some(frame) = next(&mut socket, &mut inbound).await? {
        let tag = frame.header.tag;
        if hello.target == SERVICE_TARGET {
            let trick = shared.state().service_tricks.pop_front().flatten();
            if matches!(trick, Some(Trick::CloseBefore)) {
                return Ok(());
            }
            let answer = wire::drpc::answer(tag, shared.service(rank, frame.header.count, frame.body));
            if matches!(trick, Some(Trick::CloseAfter)) {
                return Ok(());
            }
            let mut body = wire::frame::Body::new();
            body.share(&Bytes::from(answer.encode_to_vec()));
            send(&mut socket, body.into_frame(Kind::ServiceReply, tag, frame.header.count)).await?;
            continue;
        }
        let trick = shared.state().tricks.pop_front();
        if matches!(trick, Some(Trick::CloseBefore)) {
            return Ok(());
        }
        let request = Request::decode(frame.body, frame.header.count).expect("the library sends requests");
        let mut answers = shared.execute(rank, hello.target, &request);
        match trick {
            Some(Trick::CloseAfter) => return Ok(()),
            Some(Trick::Silence) => continue,
            Some(Trick::RefuseAfter(status)) => {
                let refusal = Refusal::new(status, "the engine stops");
                return send(&mut socket, refusal.encode().into_frame(Kind::Refusal, 0, 0)).await;
            }
            Some(Trick::Garbage) => return socket.write_all(&[0x5a; 64]).await,
            Some(Trick::OneLess) => drop(answers.pop()),
            Some(Trick::Instead(others)) => answers = others,
            Some(Trick::FlipBit) => flip(&mut answers),
            Some(Trick::CloseBefore) | None => {}
        }
        held.push(encode_answers(&answers).into_frame(Kind::Reply, tag, answers.len() as u16));
        // Answers are held back until so many wait, and leave in the wrong order.
        if held.len() >= shared.state().hold {
            while let Some(chunks) = held.pop() {
                send(&mut socket, chunks).await?;
            }
        }
    }
    Ok(())
}

fn flip(answers: &mut [Answer]) {
    for answer in answers {
        if let Ok(Outcome::Fetched(segments)) = answer
            && let Some(segment) = segments.last_mut()
        {
            let mut data = segment.data.to_vec();
            *data.last_mut().expect("there is data to damage") ^= 1;
            segment.data = data.into();
        }
    }
}

async fn send(socket: &mut TcpStream, chunks: Vec<Bytes>) -> std::io::Result<()> {
    socket.write_all(&chunks.concat()).await
}

async fn next(socket: &mut TcpStream, inbound: &mut Inbound) -> std::io::Result<Option<Frame>> {
    loop {
        if let Some(frame) = inbound.next_frame().expect("the library sends frames") {
            return Ok(Some(frame));
        }
        if socket.read_buf(inbound.buffer()).await? == 0 {
            return Ok(None);
        }
    }
}

/// A port of this machine that is free now, or `address` again.
pub(crate) async fn listen(address: Option<SocketAddr>) -> TcpListener {
    let address = address.unwrap_or_else(|| ([127, 0, 0, 1], 0).into());
    TcpListener::bind(address).await.expect("a port of this machine can be bound")
}
