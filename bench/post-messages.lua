-- For wrk: posts one message again and again. `wrk … URL -- TOKEN`.
function init(args)
  wrk.method = "POST"
  wrk.headers["Authorization"] = "Bearer " .. args[1]
  wrk.headers["Content-Type"] = "application/json"
  wrk.body = [[{"from":"Shop <shop@example.com>","to":["Ann <ann@example.org>"],"subject":"Your order 12345 is on its way",]]
    .. [["text":"Thank you for your order. It left our house today.\n",]]
    .. [["html":"<p>Thank you for <a href=\"https://shop.example.com/orders/12345\">your order</a>.</p><p>It left our house today.</p>",]]
    .. [["tags":["order"],"metadata":{"order":12345}}]]
end
