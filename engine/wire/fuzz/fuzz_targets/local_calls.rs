//! Local calls and the messages they carry.
#![no_main]

use bytes::Bytes;
use daos_wire::drpc::{LENGTH_BYTES, MAX_BYTES, decode, decode_length};
use daos_wire::fault::Failure;
use daos_wire::proto::{drpc, mgmt, service};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    if let Some(length) = data.first_chunk::<LENGTH_BYTES>()
        && let Ok(length) = decode_length(*length)
    {
        assert!(length <= MAX_BYTES);
    }
    let bytes = Bytes::copy_from_slice(data);
    if let Ok(call) = decode::<drpc::Call>(bytes.clone()) {
        let body = call.body;
        let _ = decode::<drpc::NotifyReadyReq>(body.clone());
        let _ = decode::<drpc::SetRankReq>(body.clone());
        let _ = decode::<drpc::EnginePoolCreateReq>(body.clone());
        let _ = decode::<service::ContainerCreateReq>(body.clone());
        let _ = decode::<service::ContainerReq>(body.clone());
        let _ = decode::<mgmt::GetAttachInfoResp>(body);
    }
    if let Ok(answer) = decode::<drpc::Answer>(bytes) {
        let _ = Failure::check_answer(answer);
    }
});
