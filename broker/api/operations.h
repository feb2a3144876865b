/*
 * Authorized operations (KIP-430) as bits of Kafka's operation codes. Without an authorizer everybody may do everything that the
 * kind of resource knows.
 */
#ifndef KLAMM_BROKER_API_OPERATIONS_H
#define KLAMM_BROKER_API_OPERATIONS_H

/* Create, Alter, Describe, ClusterAction, DescribeConfigs, AlterConfigs, IdempotentWrite. */
#define OPERATIONS_CLUSTER 8096
/* Read, Write, Create, Delete, Alter, Describe, DescribeConfigs, AlterConfigs. */
#define OPERATIONS_TOPIC 3576
/* Read, Delete, Describe. */
#define OPERATIONS_GROUP 328

#endif
