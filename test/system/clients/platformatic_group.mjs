// @platformatic/kafka: a member of a group reads a topic of 300 records to its end and commits. node platformatic_group.mjs BOOTSTRAP TOPIC GROUP
import { Consumer, stringDeserializers, MessagesStreamModes } from '@platformatic/kafka'

const [bootstrap, topic, groupId] = process.argv.slice(2)
const consumer = new Consumer({ clientId: 'system-test', groupId, bootstrapBrokers: bootstrap.split(','), deserializers: stringDeserializers })
const stream = await consumer.consume({ topics: [topic], mode: MessagesStreamModes.EARLIEST, autocommit: false })
const seen = new Set()
for await (const message of stream) {
  seen.add(`${message.partition}-${message.offset}`)
  await message.commit()
  if (seen.size === 300) break
}
console.log(JSON.stringify({ seen: seen.size }))
await consumer.close(true)
