// kafkajs: makes a topic, writes with and without gzip, asks for offsets and configs. node kafkajs.js BOOTSTRAP TOPIC
const { Kafka, CompressionTypes, ConfigResourceTypes, logLevel } = require('kafkajs')

async function main ([bootstrap, topic]) {
  const kafka = new Kafka({ clientId: 'system-test', brokers: bootstrap.split(','), logLevel: logLevel.ERROR })
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({ waitForLeaders: true, topics: [{ topic, numPartitions: 3, replicationFactor: 1,
    configEntries: [{ name: 'retention.ms', value: '7000' }] }] })
  const producer = kafka.producer()
  await producer.connect()
  for (let i = 0; i < 300; i += 50) {
    const messages = [...Array(50).keys()].map(j => ({ key: `k${i + j}`, value: `value ${i + j}`, headers: { h: 'x' } }))
    await producer.send({ topic, messages, acks: -1, compression: i % 100 ? CompressionTypes.GZIP : CompressionTypes.None })
  }
  await producer.disconnect()
  const metadata = await admin.fetchTopicMetadata({ topics: [topic] })
  const offsets = await admin.fetchTopicOffsets(topic)
  const topics = await admin.listTopics()
  const configs = await admin.describeConfigs({ includeSynonyms: false,
    resources: [{ type: ConfigResourceTypes.TOPIC, name: topic, configNames: ['retention.ms'] }] })
  console.log(JSON.stringify({
    partitions: metadata.topics[0].partitions.length,
    offsets: offsets.reduce((sum, row) => sum + Number(row.high), 0),
    topics: topics.includes(topic),
    retention: configs.resources[0].configEntries[0].configValue
  }))
  await admin.disconnect()
}

main(process.argv.slice(2)).catch(error => { console.error(error); process.exit(1) })
