// The sample of 000_824b6b08ca151a8f.txt as it stands there, line breaks restored.
const crypto = require('crypto');

function verifyWebhook(payload, signature, secret) {
  const expected = crypto
    .createHmac('sha256', secret)
    .update(payload)
    .digest('hex');
  return `sha256=${expected}` === signature;
}

// What follows is ours.
module.exports = verifyWebhook;
