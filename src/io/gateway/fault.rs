//! Owns what a provider's error means, by the fields in which it says so and by its status: its words are for people, and
//! change. Never waits and never refuses.

use serde_json::Value;

/// Says what an error is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// The rate of calls, or what an account may use within some time: time lifts it.
    Limit,
    /// The provider has too much to do.
    Overloaded,
    /// The account has no money or credit: a person lifts it.
    OutOfCredit,
    /// The key is none.
    Key,
    /// The key may not ask this model.
    Forbidden,
    /// Something else.
    Other,
}

/// Words that stand in fields for programs, by what they say. Of several in one error the first of this list counts.
const CODES: [(&str, Fault); 20] = [
    ("insufficient_quota", Fault::OutOfCredit),
    ("insufficient_credits", Fault::OutOfCredit),
    ("billing_error", Fault::OutOfCredit),
    ("billing_not_active", Fault::OutOfCredit),
    ("billing_hard_limit_reached", Fault::OutOfCredit),
    ("invalid_api_key", Fault::Key),
    ("authentication_error", Fault::Key),
    ("token_expired", Fault::Key),
    ("token_invalidated", Fault::Key),
    ("UNAUTHENTICATED", Fault::Key),
    ("API_KEY_INVALID", Fault::Key),
    ("permission_error", Fault::Forbidden),
    ("PERMISSION_DENIED", Fault::Forbidden),
    ("usage_limit_reached", Fault::Limit),
    ("rate_limit_exceeded", Fault::Limit),
    ("rate_limit_error", Fault::Limit),
    ("RESOURCE_EXHAUSTED", Fault::Limit),
    ("overloaded_error", Fault::Overloaded),
    ("server_is_overloaded", Fault::Overloaded),
    ("slow_down", Fault::Overloaded),
];

/// Tells what an error is about.
pub(super) fn fault(status: u16, body: &[u8]) -> Fault {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let places = ["/error/code", "/error/type", "/error/status", "/detail/code", "/code", "/type"];
    let named = places.iter().filter_map(|place| body.pointer(place)?.as_str());
    let reasons = body.pointer("/error/details").and_then(Value::as_array).into_iter().flatten();
    let said: Vec<&str> = named.chain(reasons.filter_map(|detail| detail["reason"].as_str())).collect();
    let by_code = CODES.iter().find(|(code, _)| said.contains(code)).map(|(_, fault)| *fault);
    by_code.unwrap_or(match status {
        401 => Fault::Key,
        402 => Fault::OutOfCredit,
        403 => Fault::Forbidden,
        429 => Fault::Limit,
        529 => Fault::Overloaded,
        _ => Fault::Other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_known_by_its_fields_before_its_status() {
        for (status, body, want) in [
            (429, r#"{"error":{"type":"insufficient_quota","code":"insufficient_quota"}}"#, Fault::OutOfCredit),
            (400, r#"{"type":"error","error":{"type":"billing_error","message":"x"}}"#, Fault::OutOfCredit),
            (402, "{}", Fault::OutOfCredit),
            (429, r#"{"type":"error","error":{"type":"rate_limit_error"}}"#, Fault::Limit),
            (403, r#"{"error":{"type":"usage_limit_reached","resets_in_seconds":7200}}"#, Fault::Limit),
            (
                429,
                r#"{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"retryDelay":"31s"}]}}"#,
                Fault::Limit,
            ),
            (500, r#"{"type":"error","error":{"type":"overloaded_error"}}"#, Fault::Overloaded),
            (503, r#"{"error":{"code":"server_is_overloaded"}}"#, Fault::Overloaded),
            (
                400,
                r#"{"error":{"code":400,"status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                Fault::Key,
            ),
            (401, r#"{"error":{"code":"invalid_api_key"}}"#, Fault::Key),
            (403, r#"{"error":{"code":403,"status":"PERMISSION_DENIED"}}"#, Fault::Forbidden),
            (500, r#"{"error":{"message":"rate_limit_error, insufficient_quota"}}"#, Fault::Other),
            (400, r#"{"error":{"type":"invalid_request_error"}}"#, Fault::Other),
        ] {
            assert_eq!(fault(status, body.as_bytes()), want, "{status} {body}");
        }
    }

    #[test]
    fn what_is_no_json_is_known_by_its_status() {
        for (status, want) in [
            (401, Fault::Key),
            (403, Fault::Forbidden),
            (429, Fault::Limit),
            (529, Fault::Overloaded),
            (500, Fault::Other),
            (404, Fault::Other),
        ] {
            for body in ["", "<html>", "[1]", "7", "{\"error\":[{\"type\":7}]}"] {
                assert_eq!(fault(status, body.as_bytes()), want, "{status} {body}");
            }
        }
    }
}
