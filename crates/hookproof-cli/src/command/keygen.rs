//! `hookproof keygen`

use clap::Args;
use hookproof_sender::{Provider, SigningSecret};

use crate::console::{mention, say};
use crate::failure::{Answer, Failure};

/// Makes a new secret in a provider's form. It is shown this once.
#[derive(Args, Debug)]
pub(crate) struct Keygen {
    /// The provider whose form it has
    #[arg(default_value = "standard-webhooks")]
    provider: String,
}

impl Keygen {
    pub(crate) fn run(self) -> Result<Answer, Failure> {
        let provider = Provider::named(&self.provider)?;
        let secret = SigningSecret::fresh(&provider.secret)?;
        say(secret.reveal())?;
        mention(format_args!("shown this once; later it is called {}", secret.prefix()));
        Ok(Answer::Yes)
    }
}
