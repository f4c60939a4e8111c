CREATE DATABASE IF NOT EXISTS shop;
CREATE TABLE IF NOT EXISTS shop.customers (
    customer_id INT NOT NULL,
    name VARCHAR(60) NOT NULL,
    city VARCHAR(40) NOT NULL,
    since DATE NOT NULL
)
DUPLICATE KEY (customer_id)
DISTRIBUTED BY HASH (customer_id) BUCKETS 1
PROPERTIES ("replication_num" = "1");
CREATE TABLE IF NOT EXISTS shop.orders (
    ordered_at DATETIME NOT NULL,
    order_id BIGINT NOT NULL,
    customer_id INT NOT NULL,
    product VARCHAR(60) NOT NULL,
    category VARCHAR(20) NOT NULL,
    quantity INT NOT NULL,
    unit_price DECIMAL(10, 2) NOT NULL,
    discount DECIMAL(3, 2) NULL
)
DUPLICATE KEY (ordered_at, order_id)
PARTITION BY RANGE (ordered_at) (
    PARTITION p2024h1 VALUES LESS THAN ("2024-07-01"),
    PARTITION p2024h2 VALUES LESS THAN ("2025-01-01")
)
DISTRIBUTED BY HASH (order_id) BUCKETS 2
PROPERTIES ("replication_num" = "1");
