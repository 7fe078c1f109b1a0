const prices = [
  { name: "tea", price_cents: 350 },
  { name: "cake", price_cents: 420 },
];

const total = prices.reduce((sum, { price_cents }) => sum + price_cents, 0);
console.log(`total ${total / 100}`);
