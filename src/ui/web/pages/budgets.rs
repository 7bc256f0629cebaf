//! Owns the forms that raise what a run may use: money and attempts at hand, every other bound that it has behind one more
//! press, each beside what is used of it. Never raises anything.

use maud::{Markup, html};

use super::forms::Buttons;
use crate::machine::state::State as RunState;
use crate::model::goal::Budget;
use crate::model::inert;
use crate::model::means::{Bounds, Holder, Unit};
use crate::model::spend::{Usd, nano_usd_of};

/// Holds a bound that is raised by a form of its own.
struct Bound {
    unit: Unit,
    of: Of,
    most: u64,
    /// What is used and held of it; of each task's, by the task that used most.
    used: u64,
}

/// Says whose bound it is.
enum Of {
    Run,
    Task,
    Role(String),
}

impl Bound {
    /// Lists the bounds that a run has beside its money and its attempts.
    fn all(state: &RunState) -> Vec<Self> {
        let budget = &state.budget;
        let of_run = Bounds { nano_usd: None, ..budget.bounds() };
        let mut all = Vec::new();
        let mut add = |of: fn(String) -> Of, name: &str, bounds: &Bounds, used: &dyn Fn(Unit) -> u64| {
            let bounded = Unit::ALL.into_iter().filter_map(|unit| Some((unit, bounds.of(unit)?)));
            all.extend(bounded.map(|(unit, most)| Self { unit, of: of(name.to_owned()), most, used: used(unit) }));
        };
        let accounted = |holder| state.account(holder).map(|account| account.accounted).unwrap_or_default();
        let run = accounted(Holder::Run);
        add(|_| Of::Run, "", &of_run, &|unit| run.of(unit));
        if !budget.task.is_none() {
            let tasks: Vec<_> = state.tasks.keys().map(|task| accounted(Holder::Task(*task))).collect();
            let most_used = |unit| tasks.iter().map(|used| used.of(unit)).max().unwrap_or(0);
            add(|_| Of::Task, "", &budget.task, &most_used);
        }
        for (role, bounds) in &budget.roles {
            let used = accounted(Holder::Role(role.clone()));
            add(Of::Role, role, bounds, &|unit| used.of(unit));
        }
        all
    }

    fn unit(&self) -> &'static str {
        match self.unit {
            Unit::Money => "usd",
            Unit::Tokens => "tokens",
            Unit::Calls => "calls",
        }
    }

    /// Names it, as what a button raises.
    fn name(&self) -> String {
        let what = match self.unit {
            Unit::Money => "dollars",
            Unit::Tokens => "tokens",
            Unit::Calls => "calls",
        };
        match &self.of {
            Of::Run => format!("the {what}"),
            Of::Task => format!("the {what} of each task"),
            Of::Role(role) => format!("the {what} of role {}", inert::fit(role, 60)),
        }
    }

    /// Says what is used of it, and what a number means that is written here.
    fn label(&self) -> String {
        let (used, most) = match self.unit {
            Unit::Money => (Usd(self.used).to_string(), Usd(self.most).to_string()),
            Unit::Tokens | Unit::Calls => (self.used.to_string(), self.unit.written(self.most)),
        };
        match self.of {
            Of::Run => format!("In all; {used} of {most} are used"),
            Of::Task => format!("For each task; the one that used most used {used} of {most}"),
            Of::Role(_) => format!("For all who play it; {used} of {most} are used"),
        }
    }

    fn proposed(&self) -> String {
        let twice = self.most.max(self.used).max(1).saturating_mul(2);
        match self.unit {
            Unit::Money => dollars(twice),
            Unit::Tokens | Unit::Calls => twice.to_string(),
        }
    }
}

impl Buttons<'_> {
    /// Draws what raises the budget of a run as it stands.
    pub(super) fn of_budget(&self, state: &RunState) -> Markup {
        let others = Bound::all(state);
        html! {
            (self.amount("raise_usd", "Raise the budget", "Dollars for calls to models, in all", &more_usd(state)))
            (self.amount("raise_attempts", "Raise the attempts", "Attempts, in all", &more_attempts(state)))
            @if !others.is_empty() {
                details.act {
                    summary { "Raise another bound" }
                    @for bound in &others {
                        @let (of, role) = match &bound.of {
                            Of::Run => ("run", ""),
                            Of::Task => ("task", ""),
                            Of::Role(role) => ("role", role.as_str()),
                        };
                        form method="post" action={ "/runs/" (self.run) "/ask" } {
                            (self.fields("raise_bound", &[("unit", bound.unit()), ("of", of), ("role", role)]))
                            label {
                                (bound.label())
                                input name="text" required inputmode="decimal" maxlength="20" value=(bound.proposed());
                            }
                            button.main { "Raise " (bound.name()) }
                        }
                    }
                }
            }
        }
    }
}

/// Reads how much money a run may use.
///
/// # Errors
/// Where that is no amount.
pub(super) fn of_money(text: &str) -> Result<Budget, String> {
    Ok(Budget { nano_usd: Some(amount("usd", text)?), ..Budget::default() })
}

/// Reads how many attempts a run may make.
///
/// # Errors
/// Where that is no number.
pub(super) fn of_attempts(text: &str) -> Result<Budget, String> {
    let attempts = text.trim().parse().map_err(|_| "write a number of attempts")?;
    Ok(Budget { attempts: Some(attempts), ..Budget::default() })
}

/// Reads how far another bound is raised, and whose.
///
/// # Errors
/// Where that is no amount, or nothing that has a bound.
pub(super) fn of_bound((unit, of, role): (&str, &str, &str), text: &str) -> Result<Budget, String> {
    let amount = Some(amount(unit, text)?);
    let bounds = match unit {
        "usd" => Bounds { nano_usd: amount, ..Bounds::default() },
        "tokens" => Bounds { tokens: amount, ..Bounds::default() },
        _ => Bounds { calls: amount, ..Bounds::default() },
    };
    match of {
        "run" => {
            let Bounds { nano_usd, tokens, calls } = bounds;
            Ok(Budget { nano_usd, tokens, calls, ..Budget::default() })
        }
        "task" => Ok(Budget { task: bounds, ..Budget::default() }),
        "role" => Ok(Budget { roles: [(role.to_owned(), bounds)].into(), ..Budget::default() }),
        other => Err(format!("`{other}` has no budget")),
    }
}

fn amount(unit: &str, text: &str) -> Result<u64, String> {
    let text = text.trim();
    let (amount, wanted) = match unit {
        "usd" => (nano_usd_of(text), "write an amount of dollars, such as 5 or 0.25"),
        "tokens" => (text.parse().ok(), "write a number of tokens"),
        "calls" => (text.parse().ok(), "write a number of calls"),
        other => return Err(format!("`{other}` is nothing that is bounded")),
    };
    amount.filter(|amount| *amount > 0).ok_or_else(|| wanted.to_owned())
}

/// Proposes a budget that is twice what there is, or what was spent.
fn more_usd(state: &RunState) -> String {
    let spent = state.total_spent().spend.nano_usd;
    dollars(state.budget.nano_usd.unwrap_or(spent).max(spent).saturating_mul(2))
}

/// Writes an amount of money as a form takes it, in whole cents; nothing where it is nothing.
fn dollars(nano_usd: u64) -> String {
    let cents = nano_usd.div_ceil(10_000_000);
    if cents == 0 { String::new() } else { format!("{}.{:02}", cents / 100, cents % 100) }
}

/// Proposes a number of attempts that is twice what there may be, or what were made.
fn more_attempts(state: &RunState) -> String {
    let made = state.attempts_made();
    state.budget.attempts.unwrap_or(made).max(made).max(1).saturating_mul(2).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::Standing;
    use crate::machine::command::Ask;
    use crate::views::story::Story;

    #[test]
    fn only_what_has_a_bound_is_offered_with_what_is_used_of_it() {
        let mut story = Story::incomplete("");
        let run = story.state.opening().run.clone();
        let drawn = |state: &RunState| {
            let buttons = Buttons { run: &run, standing: Standing::Operator, back: "/", moved_on: None, target: None };
            buttons.of_budget(state).into_string()
        };
        assert!(!drawn(&story.state).contains("Raise another bound"));
        let role = Bounds { nano_usd: Some(1_500_000_000), ..Bounds::default() };
        let budget = Budget {
            tokens: Some(500),
            task: Bounds { calls: Some(7), ..Bounds::default() },
            roles: [("worker".to_owned(), role)].into(),
            ..Budget::default()
        };
        story.ask("q-raise", Ask::Raise(budget));
        let page = drawn(&story.state);
        for said in [
            "Raise the tokens<",
            "of 500 tokens are used",
            "Raise the calls of each task<",
            "of 7 calls to models",
            "Raise the dollars of role worker<",
            "of $1.50 are used",
            "value=\"1000\"",
            "value=\"14\"",
            "value=\"3.00\"",
        ] {
            assert!(page.contains(said), "no `{said}` in {page}");
        }
        assert_eq!(page.matches("name=\"ask\" value=\"raise_bound\"").count(), 3, "{page}");
    }

    #[test]
    fn what_a_form_raises_is_an_amount_of_something_that_is_bounded() {
        let of = |unit, of, text| of_bound((unit, of, "judge"), text);
        assert_eq!(of("tokens", "run", " 9 ").unwrap().tokens, Some(9));
        assert_eq!(of("usd", "task", "0.5").unwrap().task.nano_usd, Some(500_000_000));
        assert_eq!(of("calls", "role", "3").unwrap().roles["judge"].calls, Some(3));
        for wrong in [("tokens", "run", "0"), ("usd", "run", "x"), ("hours", "run", "1"), ("calls", "house", "1")] {
            let (unit, whose, text) = wrong;
            assert!(of(unit, whose, text).is_err(), "{wrong:?}");
        }
        assert!(of_money("0").is_err() && of_attempts("many").is_err());
    }
}
