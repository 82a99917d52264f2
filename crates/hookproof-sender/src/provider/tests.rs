use super::*;

#[test]
fn every_file_is_read_and_named_after_its_scheme() {
    for id in Provider::names() {
        assert_eq!(Provider::named(id).unwrap().scheme, id);
    }
}

#[test]
fn bodies_are_the_documents_examples() {
    let body = |id: &str, event_type: &str, message: &str, published: u64| {
        String::from_utf8(
            Provider::named(id).unwrap().body(event_type, None, message, published, &BTreeMap::new()).unwrap(),
        )
        .unwrap()
    };
    assert_eq!(
        body("get-a-team", "message.created", "evt_abc123", 1_705_314_600_000),
        r#"{"id":"evt_abc123","type":"message.created","created_at":"2024-01-15T10:30:00Z","data":{"conversation_id":"conv_123","message":{"id":"msg_456","content":"Hello!","role":"user"}}}"#
    );
    assert_eq!(
        body("my-gpt-assistants", "conversation.created", "evt_abc123", 1_705_314_600_000),
        r#"{"id":"evt_abc123","type":"conversation.created","timestamp":"2024-01-15T10:30:00Z","data":{"conversationId":"conv_123456","botId":"bot_789","metadata":{}}}"#
    );
    assert_eq!(
        body("agentbot", "message.created", "unused", 1_779_021_296_000),
        r#"{"event":"message.created","timestamp":"2026-05-17T12:34:56Z","site_id":"site_abc","data":{"conversation_id":"conv_xyz","message_id":"msg_123","sender_type":"visitor","body":"Hi, what's your pricing?","visitor_email":null,"visitor_name":null}}"#
    );
    assert_eq!(
        body("ai-teammate", "message", "unused", 0),
        r#"{"message":"Summarize today's sales report","user_id":"external-user-123"}"#
    );
    assert_eq!(
        body("g-tateth", "call.answered", "evt_1", 0),
        r#"{"id":"evt_1","type":"call.answered","timestamp":"1970-01-01T00:00:00Z","data":{"call_id":"call_987","agent_id":"agt_789"}}"#
    );
}

#[test]
fn event_types_are_the_documents() {
    let types =
        |id: &str| Provider::named(id).unwrap().events.into_iter().map(|event| event.event_type).collect::<Vec<_>>();
    assert_eq!(
        types("get-a-team"),
        [
            "conversation.created",
            "conversation.closed",
            "message.created",
            "employee.created",
            "employee.updated",
            "employee.deleted"
        ]
    );
    assert_eq!(
        types("g-tateth"),
        [
            "conversation.created",
            "conversation.updated",
            "conversation.assigned",
            "conversation.closed",
            "customer.created",
            "customer.updated",
            "message.sent",
            "message.received",
            "user.created",
            "call.initiated",
            "call.ringing",
            "call.answered",
            "call.completed",
            "call.failed",
            "call.recording.available"
        ]
    );
    assert_eq!(
        types("my-gpt-assistants"),
        [
            "conversation.created",
            "conversation.updated",
            "conversation.completed",
            "message.created",
            "message.updated",
            "message.deleted",
            "bot.updated",
            "bot.published",
            "bot.disabled"
        ]
    );
    assert_eq!(
        types("agentbot"),
        [
            "conversation.created",
            "conversation.closed",
            "message.created",
            "conversation.needs_human",
            "ticket.created",
            "ticket.updated"
        ]
    );
}

#[test]
fn tables_are_those_of_the_specification() {
    let starts = |policy: Policy| policy.retry.starts().iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let default = |id: &str| starts(Provider::named(id).unwrap().policy());
    assert_eq!(default("get-a-team"), "0s 1m 6m 36m 2h36m 26h36m");
    assert_eq!(default("g-tateth"), "0s 2s 6s 14s");
    assert_eq!(starts(Provider::named("g-tateth").unwrap().policy_with("linear").unwrap()), "0s 5s 15s 30s");
    assert_eq!(default("ai-teammate"), "0s 1s 3s 7s 15s 31s");
    assert_eq!(default("my-gpt-assistants"), "0s 5m 35m 2h35m 10h35m");
    assert_eq!(default("agentbot"), "0s 1m 6m 36m 3h36m");
    assert_eq!(default("standard-webhooks"), "0s 5s 5m5s 35m5s 2h35m5s 7h35m5s 17h35m5s 31h35m5s 51h35m5s 75h35m5s");
}

#[test]
fn unknown_names_are_named() {
    assert!(Provider::named("get-a-tem").unwrap_err().to_string().contains("`get-a-tem`"));
    let provider = Provider::named("agentbot").unwrap();
    assert!(
        provider.event("message.deleted").unwrap_err().to_string().starts_with("agentbot sends no `message.deleted`")
    );
    assert!(provider.policy_with("linear").is_err());
    let settings = BTreeMap::from([("tenant".to_owned(), "x".to_owned())]);
    assert!(provider.body("message.created", None, "x", 0, &settings).is_err());
}
