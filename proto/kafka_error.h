/*
 * The error codes of Kafka 3.9's protocol: values in answers, no failures of our own (those are in common/error.h).
 *
 * Names and codes are the protocol's; the texts are ours and stand where an answer has an error message and the handler has
 * nothing better to say. The constant is KAFKA_ and the name; code 56, whose name begins with KAFKA_, is KAFKA_STORAGE_ERROR.
 * X(name, code, retriable, text): retriable = clients try again by themselves.
 */
#ifndef KLAMM_PROTO_KAFKA_ERROR_H
#define KLAMM_PROTO_KAFKA_ERROR_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
#define KAFKA_ERROR_TABLE(X) \
	X(UNKNOWN_SERVER_ERROR, -1, 0, "The server failed in a way that it did not foresee.") \
	X(NONE, 0, 0, "No error.") \
	X(OFFSET_OUT_OF_RANGE, 1, 0, "The offset lies outside the log of this partition.") \
	X(CORRUPT_MESSAGE, 2, 1, "The records are damaged (checksum, size, form) or lack a key that the topic needs.") \
	X(UNKNOWN_TOPIC_OR_PARTITION, 3, 1, "This server has no such topic or partition.") \
	X(INVALID_FETCH_SIZE, 4, 0, "The fetch size is not valid.") \
	X(LEADER_NOT_AVAILABLE, 5, 1, "The partition has no leader at the moment.") \
	X(NOT_LEADER_OR_FOLLOWER, 6, 1, "This broker is neither the leader nor a replica that may serve this.") \
	X(REQUEST_TIMED_OUT, 7, 1, "The request was not done within its time.") \
	X(BROKER_NOT_AVAILABLE, 8, 0, "The broker is not available.") \
	X(REPLICA_NOT_AVAILABLE, 9, 1, "The replica is not available on this broker.") \
	X(MESSAGE_TOO_LARGE, 10, 0, "The records are larger than the topic allows.") \
	X(STALE_CONTROLLER_EPOCH, 11, 0, "The controller has been followed by a newer one.") \
	X(OFFSET_METADATA_TOO_LARGE, 12, 0, "The metadata beside the offset is too long.") \
	X(NETWORK_EXCEPTION, 13, 1, "The connection was lost before the answer came.") \
	X(COORDINATOR_LOAD_IN_PROGRESS, 14, 1, "The coordinator is still loading its state.") \
	X(COORDINATOR_NOT_AVAILABLE, 15, 1, "The coordinator is not available.") \
	X(NOT_COORDINATOR, 16, 1, "This broker is not the coordinator.") \
	X(INVALID_TOPIC_EXCEPTION, 17, 0, "The topic name is not valid for this operation.") \
	X(RECORD_LIST_TOO_LARGE, 18, 0, "The batch of records is larger than a segment may be.") \
	X(NOT_ENOUGH_REPLICAS, 19, 1, "Nothing was written: fewer replicas are in sync than the topic needs.") \
	X(NOT_ENOUGH_REPLICAS_AFTER_APPEND, 20, 1, "The records are written, but fewer replicas are in sync than the topic needs.") \
	X(INVALID_REQUIRED_ACKS, 21, 0, "The acks of a produce request must be -1, 0 or 1.") \
	X(ILLEGAL_GENERATION, 22, 0, "The generation is not the group's current one.") \
	X(INCONSISTENT_GROUP_PROTOCOL, 23, 0, "The member has no protocol type or protocol in common with its group.") \
	X(INVALID_GROUP_ID, 24, 0, "The group id is not valid.") \
	X(UNKNOWN_MEMBER_ID, 25, 0, "The coordinator does not know this member.") \
	X(INVALID_SESSION_TIMEOUT, 26, 0, "The session timeout lies outside the bounds that the broker sets.") \
	X(REBALANCE_IN_PROGRESS, 27, 0, "The group is rebalancing, so join again.") \
	X(INVALID_COMMIT_OFFSET_SIZE, 28, 0, "The committed offset and its metadata are too large.") \
	X(TOPIC_AUTHORIZATION_FAILED, 29, 0, "No right to this topic.") \
	X(GROUP_AUTHORIZATION_FAILED, 30, 0, "No right to this group.") \
	X(CLUSTER_AUTHORIZATION_FAILED, 31, 0, "No right to this operation on the cluster.") \
	X(INVALID_TIMESTAMP, 32, 0, "The timestamp of a record lies outside what the topic accepts.") \
	X(UNSUPPORTED_SASL_MECHANISM, 33, 0, "The broker does not offer this SASL mechanism.") \
	X(ILLEGAL_SASL_STATE, 34, 0, "The request does not fit the state of the SASL exchange.") \
	X(UNSUPPORTED_VERSION, 35, 0, "This version of the API is not supported.") \
	X(TOPIC_ALREADY_EXISTS, 36, 0, "There is a topic of this name already.") \
	X(INVALID_PARTITIONS, 37, 0, "The number of partitions is not valid.") \
	X(INVALID_REPLICATION_FACTOR, 38, 0, "The replication factor is below 1 or above the number of brokers.") \
	X(INVALID_REPLICA_ASSIGNMENT, 39, 0, "The replica assignment is not valid.") \
	X(INVALID_CONFIG, 40, 0, "The configuration is not valid.") \
	X(NOT_CONTROLLER, 41, 1, "This broker is not the controller.") \
	X(INVALID_REQUEST, 42, 0, "The request contradicts the protocol or itself.") \
	X(UNSUPPORTED_FOR_MESSAGE_FORMAT, 43, 0, "The format of the stored records has no room for this.") \
	X(POLICY_VIOLATION, 44, 0, "A policy of the cluster forbids this.") \
	X(OUT_OF_ORDER_SEQUENCE_NUMBER, 45, 0, "The sequence number does not follow the producer's last one.") \
	X(DUPLICATE_SEQUENCE_NUMBER, 46, 0, "The sequence number was written before.") \
	X(INVALID_PRODUCER_EPOCH, 47, 0, "The producer's epoch is older than the current one.") \
	X(INVALID_TXN_STATE, 48, 0, "The transaction is in a state that does not allow this.") \
	X(INVALID_PRODUCER_ID_MAPPING, 49, 0, "The producer id does not belong to this transactional id.") \
	X(INVALID_TRANSACTION_TIMEOUT, 50, 0, "The transaction timeout is longer than the broker allows.") \
	X(CONCURRENT_TRANSACTIONS, 51, 1, "Another operation on this transactional id is under way.") \
	X(TRANSACTION_COORDINATOR_FENCED, 52, 0, "The transaction coordinator has been followed by a newer one.") \
	X(TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 53, 0, "No right to this transactional id.") \
	X(SECURITY_DISABLED, 54, 0, "Security is switched off on this broker.") \
	X(OPERATION_NOT_ATTEMPTED, 55, 0, "Not tried, since another part of the request failed.") \
	X(STORAGE_ERROR, 56, 1, "The broker could not use the disk that holds this log.") \
	X(LOG_DIR_NOT_FOUND, 57, 0, "The broker has no such log directory.") \
	X(SASL_AUTHENTICATION_FAILED, 58, 0, "The SASL authentication failed.") \
	X(UNKNOWN_PRODUCER_ID, 59, 0, "The broker knows nothing of this producer id.") \
	X(REASSIGNMENT_IN_PROGRESS, 60, 0, "A reassignment of the partition is under way.") \
	X(DELEGATION_TOKEN_AUTH_DISABLED, 61, 0, "Delegation tokens are switched off.") \
	X(DELEGATION_TOKEN_NOT_FOUND, 62, 0, "There is no such delegation token.") \
	X(DELEGATION_TOKEN_OWNER_MISMATCH, 63, 0, "The principal is neither owner nor renewer of the delegation token.") \
	X(DELEGATION_TOKEN_REQUEST_NOT_ALLOWED, 64, 0, "Delegation tokens cannot be asked for on this connection.") \
	X(DELEGATION_TOKEN_AUTHORIZATION_FAILED, 65, 0, "No right to this delegation token.") \
	X(DELEGATION_TOKEN_EXPIRED, 66, 0, "The delegation token has expired.") \
	X(INVALID_PRINCIPAL_TYPE, 67, 0, "The principal type is not supported.") \
	X(NON_EMPTY_GROUP, 68, 0, "The group still has members.") \
	X(GROUP_ID_NOT_FOUND, 69, 0, "There is no such group.") \
	X(FETCH_SESSION_ID_NOT_FOUND, 70, 1, "There is no such fetch session.") \
	X(INVALID_FETCH_SESSION_EPOCH, 71, 1, "The epoch of the fetch session is not the next one.") \
	X(LISTENER_NOT_FOUND, 72, 1, "The leader has no listener of the name that the request came in on.") \
	X(TOPIC_DELETION_DISABLED, 73, 0, "Deleting topics is switched off.") \
	X(FENCED_LEADER_EPOCH, 74, 1, "The leader epoch of the request is older than the partition's.") \
	X(UNKNOWN_LEADER_EPOCH, 75, 1, "The leader epoch of the request is newer than the partition's.") \
	X(UNSUPPORTED_COMPRESSION_TYPE, 76, 0, "The version of the request does not carry this compression.") \
	X(STALE_BROKER_EPOCH, 77, 0, "The broker epoch is not the broker's current one.") \
	X(OFFSET_NOT_AVAILABLE, 78, 1, "The new leader does not know its high watermark yet.") \
	X(MEMBER_ID_REQUIRED, 79, 0, "Join again with the member id of this answer.") \
	X(PREFERRED_LEADER_NOT_AVAILABLE, 80, 1, "The preferred leader is not available.") \
	X(GROUP_MAX_SIZE_REACHED, 81, 0, "The group has as many members as it may have.") \
	X(FENCED_INSTANCE_ID, 82, 0, "Another member joined with the same group.instance.id.") \
	X(ELIGIBLE_LEADERS_NOT_AVAILABLE, 83, 1, "No replica that may lead is available.") \
	X(ELECTION_NOT_NEEDED, 84, 1, "The partition has the leader that it should have.") \
	X(NO_REASSIGNMENT_IN_PROGRESS, 85, 0, "No reassignment of the partition is under way.") \
	X(GROUP_SUBSCRIBED_TO_TOPIC, 86, 0, "The group is subscribed to the topic.") \
	X(INVALID_RECORD, 87, 0, "A record failed the checks of the broker.") \
	X(UNSTABLE_OFFSET_COMMIT, 88, 1, "Offsets of an open transaction are not settled yet.") \
	X(THROTTLING_QUOTA_EXCEEDED, 89, 1, "A quota is exceeded, so wait and try again.") \
	X(PRODUCER_FENCED, 90, 0, "A newer producer with the same transactional id has taken over.") \
	X(RESOURCE_NOT_FOUND, 91, 0, "There is no such resource.") \
	X(DUPLICATE_RESOURCE, 92, 0, "The resource exists already, or is named twice.") \
	X(UNACCEPTABLE_CREDENTIAL, 93, 0, "The credential does not meet the rules.") \
	X(INCONSISTENT_VOTER_SET, 94, 0, "The voter sets of sender and receiver differ.") \
	X(INVALID_UPDATE_VERSION, 95, 0, "The version of the update is not the expected one.") \
	X(FEATURE_UPDATE_FAILED, 96, 0, "The finalized features could not be updated.") \
	X(PRINCIPAL_DESERIALIZATION_FAILURE, 97, 0, "The principal of a forwarded request cannot be read.") \
	X(SNAPSHOT_NOT_FOUND, 98, 0, "There is no such snapshot.") \
	X(POSITION_OUT_OF_RANGE, 99, 0, "The position lies outside the snapshot.") \
	X(UNKNOWN_TOPIC_ID, 100, 1, "This server has no topic of this id.") \
	X(DUPLICATE_BROKER_REGISTRATION, 101, 0, "The broker id is in use by another broker.") \
	X(BROKER_ID_NOT_REGISTERED, 102, 0, "The broker id is not registered.") \
	X(INCONSISTENT_TOPIC_ID, 103, 1, "The topic id is not the one that the log has.") \
	X(INCONSISTENT_CLUSTER_ID, 104, 0, "The cluster id is not that of this cluster.") \
	X(TRANSACTIONAL_ID_NOT_FOUND, 105, 0, "There is no such transactional id.") \
	X(FETCH_SESSION_TOPIC_ID_ERROR, 106, 1, "The fetch session mixes topic names and topic ids.") \
	X(INELIGIBLE_REPLICA, 107, 0, "A proposed member of the ISR may not be in it.") \
	X(NEW_LEADER_ELECTED, 108, 0, "The partition has a new leader.") \
	X(OFFSET_MOVED_TO_TIERED_STORAGE, 109, 0, "The offset lies in tiered storage.") \
	X(FENCED_MEMBER_EPOCH, 110, 0, "The member epoch has been fenced, so leave and join again.") \
	X(UNRELEASED_INSTANCE_ID, 111, 0, "Another member still holds the instance id.") \
	X(UNSUPPORTED_ASSIGNOR, 112, 0, "The group does not support this assignor.") \
	X(STALE_MEMBER_EPOCH, 113, 0, "The member epoch is old: heartbeat first.") \
	X(MISMATCHED_ENDPOINT_TYPE, 114, 0, "The request was sent to an endpoint of another type.") \
	X(UNSUPPORTED_ENDPOINT_TYPE, 115, 0, "This endpoint type is not supported yet.") \
	X(UNKNOWN_CONTROLLER_ID, 116, 0, "There is no controller of this id.") \
	X(UNKNOWN_SUBSCRIPTION_ID, 117, 0, "The telemetry subscription is not the current one.") \
	X(TELEMETRY_TOO_LARGE, 118, 0, "The telemetry is larger than the broker accepts.") \
	X(INVALID_REGISTRATION, 119, 0, "The broker registration is not valid.") \
	X(TRANSACTION_ABORTABLE, 120, 0, "The transaction cannot go on and has to be aborted.") \
	X(INVALID_RECORD_STATE, 121, 0, "The state of the record does not allow this.") \
	X(SHARE_SESSION_NOT_FOUND, 122, 1, "There is no such share session.") \
	X(INVALID_SHARE_SESSION_EPOCH, 123, 1, "The epoch of the share session is not the next one.") \
	X(FENCED_STATE_EPOCH, 124, 0, "The state epoch is not the current one.") \
	X(INVALID_VOTER_KEY, 125, 0, "The voter key is not that of the receiver.") \
	X(DUPLICATE_VOTER, 126, 0, "The voter is in the set already.") \
	X(VOTER_NOT_FOUND, 127, 0, "The voter is not in the set.")
/* clang-format on */

/* KAFKA_NONE, KAFKA_OFFSET_OUT_OF_RANGE, ... */
enum kafka_error {
#define X(name, code, retriable, text) KAFKA_##name = code,
	KAFKA_ERROR_TABLE(X)
#undef X
};

/* "OFFSET_OUT_OF_RANGE"; "UNKNOWN" for a code that is not in the table. */
const char *kafka_error_name(int code);

/* A code that a peer has said in a wider field: UNKNOWN_SERVER_ERROR when it is none of 16 bits, and never 0 unless it was said. */
int16_t kafka_error_of(int32_t code);

/* One sentence; that of UNKNOWN_SERVER_ERROR for a code that is not in the table. */
const char *kafka_error_text(int code);

bool kafka_error_is_retriable(int code);

/* The code of a name such as "OFFSET_OUT_OF_RANGE"; false (ret_code untouched) when there is none. */
bool kafka_error_find(const char *name, int *ret_code);

#endif
