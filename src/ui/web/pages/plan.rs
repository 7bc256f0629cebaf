//! Owns the page on which a plan that waits for a word is edited. Never follows the run: what is being written is left
//! alone, and a plan that was edited meanwhile is refused when it is saved.

use std::sync::Arc;

use axum::extract::{Extension, State};
use axum::http::StatusCode;
use maud::{Markup, html};

use super::forms::Buttons;
use super::frame::{Frame, line, page};
use crate::app::Follower;
use crate::model::ids::RunId;
use crate::model::plan_text;
use crate::ui::web::extract::Path;
use crate::ui::web::guard::Caller;
use crate::ui::web::reads::no_plan_waits;
use crate::ui::web::refused::Refused;
use crate::ui::web::site::Site;
use crate::views::plan_draft::plan_draft;
use crate::views::words;

/// Shows the plan that waits for a word, to be edited.
///
/// # Errors
/// Where there is no such run, no plan of it waits, or it is larger than a plan that is read.
pub async fn plan(
    State(site): State<Arc<Site>>,
    Extension(Caller(standing)): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Markup, Refused> {
    let made = site.see(&run, move |_: &Site, run: &RunId, follower: &Follower| {
        let plan = follower.see(|loaded, _| plan_draft(&loaded.state)).ok_or_else(|| no_plan_waits(run.as_str()))?;
        let text = plan_text::write(&plan);
        if text.len() > plan_text::SIZE_MAX {
            let why = format!("it has more than {} KiB", plan_text::SIZE_MAX >> 10);
            return Err(Refused::new(StatusCode::UNPROCESSABLE_ENTITY, format!("show the plan of {run} as text"), why)
                .next(format!("programs read it from GET /api/v1/runs/{run}/plan/draft")));
        }
        let back = format!("/runs/{run}");
        let buttons = Buttons { run, standing, back: &back, moved_on: None, target: None };
        let content = html! {
            p { a href=(back) { "← " (run) } }
            h1 { "The plan of " (line(run.as_str())) }
            p { (words::count(plan.tasks.len(), "task")) }
            (buttons.of_plan(&text))
        };
        Ok(page(&Frame::titled(&format!("Plan of {run}")), standing, content))
    });
    made.await
}
