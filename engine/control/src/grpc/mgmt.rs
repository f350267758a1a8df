//! `mgmt.MgmtSvc`: each method leads to the management service, or says where it is.

use std::sync::Arc;

use tonic::{Request, Response, Status};
use wire::proto::mgmt::mgmt_svc_server::MgmtSvc;
use wire::proto::mgmt::{
    GetAttachInfoReq, GetAttachInfoResp, JoinReq, JoinResp, LeaderQueryReq, LeaderQueryResp, ListPoolsReq,
    ListPoolsResp, PoolCreateReq, PoolCreateResp, PoolDestroyReq, PoolDestroyResp, PoolGetPropReq, PoolPropResp,
    PoolQueryReq, PoolQueryResp, PoolSetPropReq, SystemQueryReq, SystemQueryResp, SystemRanksResp, SystemStartReq,
    SystemStopReq,
};

use super::to_the_end;
use crate::management::Management;
use crate::system::RankAction;

/// The service.
pub(crate) struct MgmtService {
    pub(crate) management: Arc<Management>,
}

impl MgmtService {
    fn here(&self) -> Result<Arc<crate::system::System>, Status> {
        self.management.here().cloned().map_err(Status::from)
    }
}

#[tonic::async_trait]
impl MgmtSvc for MgmtService {
    async fn join(&self, request: Request<JoinReq>) -> Result<Response<JoinResp>, Status> {
        let system = self.here()?;
        to_the_end(async move { system.join(request.into_inner()).await }).await
    }

    async fn system_query(&self, request: Request<SystemQueryReq>) -> Result<Response<SystemQueryResp>, Status> {
        Ok(Response::new(self.here()?.query(request.get_ref()).await?))
    }

    async fn system_stop(&self, request: Request<SystemStopReq>) -> Result<Response<SystemRanksResp>, Status> {
        let (system, request) = (self.here()?, request.into_inner());
        let action = RankAction::Stop { force: request.force };
        to_the_end(async move { system.change_ranks(&request.sys, &request.ranks, action).await }).await
    }

    async fn system_start(&self, request: Request<SystemStartReq>) -> Result<Response<SystemRanksResp>, Status> {
        let (system, request) = (self.here()?, request.into_inner());
        to_the_end(async move { system.change_ranks(&request.sys, &request.ranks, RankAction::Start).await }).await
    }

    async fn leader_query(&self, request: Request<LeaderQueryReq>) -> Result<Response<LeaderQueryResp>, Status> {
        let system = self.here()?;
        system.check_name(&request.get_ref().sys)?;
        Ok(Response::new(system.leader()))
    }

    async fn get_attach_info(&self, request: Request<GetAttachInfoReq>) -> Result<Response<GetAttachInfoResp>, Status> {
        Ok(Response::new(self.here()?.attach_info(&request.get_ref().sys).await?))
    }

    async fn pool_create(&self, request: Request<PoolCreateReq>) -> Result<Response<PoolCreateResp>, Status> {
        let system = self.here()?;
        to_the_end(async move { system.pool_create(request.into_inner()).await }).await
    }

    async fn pool_destroy(&self, request: Request<PoolDestroyReq>) -> Result<Response<PoolDestroyResp>, Status> {
        let system = self.here()?;
        to_the_end(async move { system.pool_destroy(request.into_inner()).await.map(|()| PoolDestroyResp {}) }).await
    }

    async fn pool_query(&self, request: Request<PoolQueryReq>) -> Result<Response<PoolQueryResp>, Status> {
        Ok(Response::new(self.here()?.pool_query(request.get_ref()).await?))
    }

    async fn pool_get_prop(&self, request: Request<PoolGetPropReq>) -> Result<Response<PoolPropResp>, Status> {
        Ok(Response::new(self.here()?.pool_get_prop(request.into_inner()).await?))
    }

    async fn pool_set_prop(&self, request: Request<PoolSetPropReq>) -> Result<Response<PoolPropResp>, Status> {
        let system = self.here()?;
        to_the_end(async move { system.pool_set_prop(request.into_inner()).await }).await
    }

    async fn list_pools(&self, request: Request<ListPoolsReq>) -> Result<Response<ListPoolsResp>, Status> {
        Ok(Response::new(self.here()?.pool_list(&request.get_ref().sys).await?))
    }
}
