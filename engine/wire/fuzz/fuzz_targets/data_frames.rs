//! The data port: a stream of bytes through frame assembly, then every body decoder. What decodes must encode to the same
//! bytes again.
#![no_main]

use bytes::Bytes;
use daos_fabric::Inbound;
use daos_wire::frame::{Body, HEADER_BYTES, Kind, MAX_BODY_BYTES};
use daos_wire::hello::{Hello, HelloReply, Refusal};
use daos_wire::operation::{Request, decode_answers, encode_answers};
use libfuzzer_sys::fuzz_target;

fn flat(body: Body) -> Bytes {
    Bytes::from(body.into_frame(Kind::Request, 0, 0).concat()).slice(HEADER_BYTES..)
}

fn bodies(body: &Bytes, count: u16) {
    if let Ok(request) = Request::decode(body.clone(), count) {
        assert_eq!(flat(request.encode()), *body);
    }
    if let Ok(answers) = decode_answers(body.clone(), count) {
        // A status this version does not know is carried as another; its bytes differ, its meaning does not.
        assert_eq!(decode_answers(flat(encode_answers(&answers)), count).as_ref(), Ok(&answers));
    }
    if let Ok(hello) = Hello::decode(body.clone())
        && hello.system.is_ascii()
    {
        assert_eq!(flat(hello.encode()), *body);
    }
    if let Ok(reply) = HelloReply::decode(body.clone()) {
        assert_eq!(flat(reply.encode()), *body);
    }
    let _ = Refusal::decode(body.clone());
}

fuzz_target!(|data: &[u8]| {
    // As they come: almost always refused at the header, which must not cost memory.
    let mut raw = Inbound::new(MAX_BODY_BYTES);
    raw.feed(data);
    while let Ok(Some(frame)) = raw.next_frame() {
        bodies(&frame.body, frame.header.count);
    }
    // Behind a good header, so that the checksums do not hide the body decoders from the fuzzer.
    let Some((count, rest)) = data.split_first_chunk::<2>() else { return };
    let count = u16::from_le_bytes(*count);
    let mut body = Body::new();
    body.put(rest);
    let mut inbound = Inbound::new(MAX_BODY_BYTES);
    inbound.feed(&body.into_frame(Kind::Request, 1, count).concat());
    let frame = inbound.next_frame().expect("the header is good").expect("the frame is whole");
    bodies(&frame.body, count);
});
