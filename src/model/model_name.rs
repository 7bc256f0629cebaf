//! Owns how a role names a model that artel asks by itself: whose it is, and in which of its forms it is asked. Never
//! knows where a provider is.

use std::fmt;
use std::str::FromStr;

/// Names a model: `claude-opus-5-5`, `openai::gpt-5.6`, `openai/chat::gpt-4.1`, `local::qwen3-coder`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelName {
    /// The provider, as the gateway's configuration names it.
    provider: String,
    /// Whether the provider is written, or follows from the model.
    is_written: bool,
    /// The form in which it is asked, where the provider's usual one is not meant.
    form: Option<Form>,
    model: String,
}

/// Says in which of two forms a model is asked that may be asked in either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Form {
    /// OpenAI's Chat Completions, which most servers speak.
    Chat,
    /// OpenAI's Responses.
    Responses,
}

/// Says that a text names no model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it names no model")]
pub struct NoSuchModel;

/// Whose the models are whose names begin so.
const BEGINNINGS: [(&str, &str); 8] = [
    ("claude", "anthropic"),
    ("gpt", "openai"),
    ("chatgpt", "openai"),
    ("codex", "openai"),
    ("o1", "openai"),
    ("o3", "openai"),
    ("o4", "openai"),
    ("gemini", "gemini"),
];

impl ModelName {
    /// Names the provider.
    pub fn provider(&self) -> &str {
        &self.provider
    }

    /// Gives the form in which the model is asked, where one is written.
    pub fn form(&self) -> Option<Form> {
        self.form
    }

    /// Names the model as its provider does.
    pub fn model(&self) -> &str {
        &self.model
    }
}

impl FromStr for ModelName {
    type Err = NoSuchModel;

    fn from_str(text: &str) -> Result<Self, NoSuchModel> {
        let Some((provider, model)) = text.split_once("::") else {
            let known = BEGINNINGS.iter().find(|(beginning, _)| text.starts_with(beginning));
            let (_, provider) = known.filter(|_| is_model(text)).ok_or(NoSuchModel)?;
            let provider = (*provider).to_owned();
            return Ok(Self { provider, is_written: false, form: None, model: text.to_owned() });
        };
        let (provider, form) = match provider.split_once('/') {
            None => (provider, None),
            Some((provider, "chat")) => (provider, Some(Form::Chat)),
            Some((provider, "responses")) => (provider, Some(Form::Responses)),
            Some(_) => return Err(NoSuchModel),
        };
        let is_provider = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if provider.is_empty() || !provider.chars().all(is_provider) || !is_model(model) {
            return Err(NoSuchModel);
        }
        Ok(Self { provider: provider.to_owned(), is_written: true, form, model: model.to_owned() })
    }
}

/// Tells whether a text can be a model's name at any provider: it stands in paths of URLs.
fn is_model(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_graphic() && !matches!(c, '?' | '#' | '%' | '\\' | '"');
    !text.is_empty() && !text.starts_with(['-', '/', '.']) && !text.contains("::") && text.chars().all(is_part)
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.form {
            None => "",
            Some(Form::Chat) => "/chat",
            Some(Form::Responses) => "/responses",
        };
        if self.is_written {
            write!(f, "{}{form}::", self.provider)?;
        }
        f.write_str(&self.model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_it_was_read() {
        for (text, provider, form, model) in [
            ("claude-opus-5-5", "anthropic", None, "claude-opus-5-5"),
            ("gpt-5.6", "openai", None, "gpt-5.6"),
            ("o3-mini", "openai", None, "o3-mini"),
            ("gemini-2.5-pro", "gemini", None, "gemini-2.5-pro"),
            ("openai/chat::gpt-4.1", "openai", Some(Form::Chat), "gpt-4.1"),
            ("local/responses::a/b:7b", "local", Some(Form::Responses), "a/b:7b"),
            ("my_box-2::meta-llama/Llama-4", "my_box-2", None, "meta-llama/Llama-4"),
        ] {
            let name: ModelName = text.parse().unwrap();
            assert_eq!((name.provider(), name.form(), name.model()), (provider, form, model), "{text}");
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn whose_a_model_is_must_be_known() {
        for text in [
            "", "opus", "qwen3", "::gpt-5", "a::", "a::b::c", "a/b::c", "a b::c", "a::-x", "a::b c", "../x::y",
            "a::../x", "claude?x", "claude\n",
        ] {
            assert_eq!(text.parse::<ModelName>(), Err(NoSuchModel), "{text:?}");
        }
    }
}
