-- Revenue of each category by month
SELECT date_format(ordered_at, '%Y-%m') AS month, category, sum(quantity * unit_price * (1 - ifnull(discount, 0))) AS revenue
FROM shop.orders GROUP BY month, category ORDER BY month, category LIMIT 12;

-- The best customers, and how they rank within their city
SELECT city, name, spent, rank() OVER (PARTITION BY city ORDER BY spent DESC) AS place
FROM (SELECT c.city, c.name, sum(o.quantity * o.unit_price) AS spent
      FROM shop.orders o JOIN shop.customers c ON o.customer_id = c.customer_id GROUP BY c.city, c.name) s
ORDER BY spent DESC LIMIT 10;

-- Customers who did not order in the second half of the year
SELECT c.city, count(*) AS customers FROM shop.customers c
WHERE NOT EXISTS (SELECT 1 FROM shop.orders o WHERE o.customer_id = c.customer_id AND o.ordered_at >= '2024-07-01')
GROUP BY c.city ORDER BY customers DESC, c.city;
