using System.Net;
using Qcow2.Engine.Http;
using Qcow2.Tests;

namespace Qcow2.Engine.Tests.Http;

/// <summary>A file on a server: what is asked for, what is taken, and what is made of cuts and lies.</summary>
public sealed class HttpFileTests : IDisposable
{
    private const int Page = HttpPages.PageSize;

    private static readonly HttpFileOptions Quick = new() { UseProxy = false, RetryInterval = TimeSpan.FromMilliseconds(1), ResponseTimeout = TimeSpan.FromSeconds(20), StallTimeout = TimeSpan.FromSeconds(20) };

    private readonly HttpTestServer _server = new(Noise(3_000_001));

    public void Dispose() => _server.Dispose();

    private static byte[] Noise(int length, int seed = 1)
    {
        byte[] bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }

    private HttpFile Open(HttpFileOptions? options = null, CancellationToken cancellationToken = default) => HttpFile.Open(_server.Address(), options ?? Quick, cancellationToken);

    private byte[] Read(HttpFile file, long offset, int count)
    {
        byte[] bytes = new byte[count];
        int read = file.Read(offset, bytes);
        Assert.Equal(Math.Max(0, Math.Min(count, _server.Content.Length - offset)), read);
        return bytes.AsSpan(0, read).ToArray();
    }

    private byte[] Expected(long offset, int count) => _server.Content.AsSpan((int)offset, (int)Math.Min(count, _server.Content.Length - offset)).ToArray();

    [Fact]
    public void Reads_parts_and_no_more_than_their_pages()
    {
        using HttpFile file = Open();
        Assert.Equal(3_000_001, file.Length);
        Assert.Equal((0L, Page - 1L), _server.Requests.Single().Range);
        foreach ((long offset, int count) in new[] { (0L, 4096), (2_999_000L, 5000), (Page - 1L, 2), (1_000_000L, 1), (3_000_001L, 10), (5_000_000L, 10) })
        {
            Assert.Equal(offset < file.Length ? Expected(offset, count) : [], Read(file, offset, count));
        }

        Assert.Equal(4, file.RequestCount);
        Assert.InRange(file.BytesReceived, 1, 5 * Page);
        Assert.Equal(file.BytesReceived, _server.BytesAsked);
        Assert.All(_server.Requests, request => Assert.Equal("identity", request.Headers["accept-encoding"]));
        Assert.Throws<NotSupportedException>(() => file.Write(0, [1]));
        Assert.False(file.HasLocalPath);
    }

    [Fact]
    public void Asks_for_each_byte_once_however_many_threads_want_it()
    {
        using HttpFile file = Open();
        Parallel.For(0, 8, new ParallelOptions { MaxDegreeOfParallelism = 8 }, thread =>
        {
            var random = new Random(thread);
            for (int i = 0; i < 60; i++)
            {
                long offset = random.Next(3_100_000);
                int count = random.Next(200_000);
                Assert.Equal(offset < file.Length ? Expected(offset, count) : [], Read(file, offset, count));
            }
        });
        Assert.Equal(file.Length, _server.BytesAsked);
        Assert.Equal(file.Length, file.BytesReceived);
        Assert.True(_server.MostAtOnce <= Quick.MaxRequests);
    }

    [Fact]
    public void Reads_ahead_in_parallel_where_it_is_read_in_order()
    {
        _server.Answer = (_, reply) => Changed(reply, changed => changed.Delay = TimeSpan.FromMilliseconds(5));
        using HttpFile file = Open(Quick with { MaxRequests = 4 });
        for (int offset = 0; offset < 3_000_000; offset += 30_000)
        {
            Assert.Equal(Expected(offset, 30_000), Read(file, offset, 30_000));
        }

        Assert.InRange(_server.MostAtOnce, 2, 4);
        Assert.Equal(file.Length, _server.BytesAsked);
        Assert.InRange(_server.Requests.Count, 2, 30);
    }

    [Fact]
    public void Takes_no_more_memory_than_it_may()
    {
        _server.Content = Noise(24 << 20);
        using HttpFile file = Open(Quick with { CacheSize = 4 << 20 });
        for (int turn = 0; turn < 2; turn++)
        {
            Parallel.For(0, 4, part =>
            {
                byte[] bytes = new byte[100_000];
                for (long offset = part * (6L << 20); offset < (part + 1) * (6L << 20); offset += bytes.Length)
                {
                    int read = file.Read(offset, bytes);
                    Assert.True(bytes.AsSpan(0, read).SequenceEqual(_server.Content.AsSpan((int)offset, read)));
                }
            });
        }

        Assert.InRange(file.MostMemory, 3 << 20, (4 << 20) + (Quick.MaxRequests * Page));
    }

    [Fact]
    public void Goes_on_where_it_was_cut()
    {
        var random = new Random(5);
        _server.Answer = (request, reply) => Changed(reply, changed =>
        {
            lock (random)
            {
                if (request.Number % 3 > 0)
                {
                    changed.CutAfter = random.Next(reply.Body.Length);
                }
            }
        });
        using HttpFile file = Open(Quick with { MaxRetryCount = 100 });
        Assert.Equal(_server.Content, Read(file, 0, 4_000_000));
        Assert.Equal(file.Length, file.BytesReceived);
        Assert.True(_server.Requests.Count > 6);
    }

    [Fact]
    public void Asks_again_for_what_lacks_and_nothing_else()
    {
        _server.Answer = (request, reply) => Changed(reply, changed => changed.CutAfter = request.Number == 1 ? 1000 : null);
        using HttpFile file = Open();
        Assert.Equal(Expected(0, 1001), Read(file, 0, 1001));
        Assert.Equal([(0L, Page - 1L), (1000L, Page - 1L)], _server.Requests.Select(request => request.Range!.Value));
    }

    [Theory]
    [InlineData("503 Service Unavailable")]
    [InlineData("429 Too Many Requests")]
    [InlineData("408 Request Timeout")]
    [InlineData("500 Internal Server Error")]
    public void Comes_back_to_a_server_that_is_busy(string status)
    {
        _server.Answer = (request, reply) => request.Number is 1 or 2 or 4 ? Busy(status) : reply;
        using HttpFile file = Open();
        Assert.Equal(Expected(2_000_000, 10), Read(file, 2_000_000, 10));
        Assert.Equal(5, _server.Requests.Count);
    }

    [Fact]
    public void Gives_up_in_the_end_and_says_why()
    {
        using HttpFile file = Open(Quick with { MaxRetryCount = 2 });
        _server.Answer = (_, _) => Busy("503 Service Unavailable");
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Read(file, 1_000_000, 1));
        Assert.Equal(Qcow2ErrorCode.HttpRequestFailed, error.Code);
        Assert.Equal($"{_server.Address()}: The server answers 503 Service Unavailable. It was tried 3 times.", error.Message);

        // It stays so, and at once.
        _server.Answer = null;
        int requests = _server.Requests.Count;
        Assert.Throws<Qcow2Exception>(() => Read(file, 2_000_000, 1));
        Assert.Throws<Qcow2Exception>(file.ThrowIfFailed);
        Assert.Equal(requests, _server.Requests.Count);
    }

    [Theory]
    [InlineData("404 Not Found", "There is no such file on the server (404 Not Found).")]
    [InlineData("401 Unauthorized", "The server wants to know who asks (401 Unauthorized).")]
    [InlineData("403 Forbidden", "The server does not let us read the file (403 Forbidden).")]
    [InlineData("418 I'm a teapot", "The server answers 418 I'm a teapot.")]
    [InlineData("501 Not Implemented", "The server answers 501 Not Implemented.")]
    public void Does_not_repeat_what_does_not_pass(string status, string message)
    {
        _server.Answer = (_, _) => Busy(status);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open());
        Assert.Equal(Qcow2ErrorCode.HttpRequestFailed, error.Code);
        Assert.Contains(message, error.Message, StringComparison.Ordinal);
        Assert.Single(_server.Requests);
    }

    public static TheoryData<string, Action<HttpTestServer>> Changes => new()
    {
        { "its ETag is another one", server => server.Tag = "\"second\"" },
        { "its ETag is another one", server => server.Tag = "W/\"first\"" },
        { "it had 3000001 bytes, and has 3000002", server => server.Content = new byte[3_000_002] },
        { "it had 3000001 bytes, and has 500000", server => server.Content = new byte[500_000] },
        { "the server does not say any more which state of it this is", server => server.Tag = null },
        { "it had 3000001 bytes, and has 65536", server => server.Answer = (_, reply) => Changed(reply, changed => (changed.Status, changed.Headers["ETag"], changed.Headers["Content-Range"]) = ("200 OK", "\"x\"", "")) },
        { "the server says so", server => server.Answer = (_, _) => Busy("412 Precondition Failed") },
    };

    [Theory, MemberData(nameof(Changes))]
    public void Does_not_mix_two_states_of_a_file(string what, Action<HttpTestServer> change)
    {
        using HttpFile file = Open();
        change(_server);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => file.Read(2_000_000, new byte[10]));
        Assert.Equal(Qcow2ErrorCode.SourceChanged, error.Code);
        Assert.Contains($"The file changed on the server while it was read: {what}.", error.Message, StringComparison.Ordinal);
        Assert.Throws<Qcow2Exception>(() => file.Read(0, new byte[10])); // Not even what is here: the rest of it will not come.
    }

    [Fact]
    public void Knows_a_file_by_its_time_where_there_is_no_tag()
    {
        _server.Tag = null;
        _server.Modified = "Sat, 28 Nov 2026 10:00:00 GMT";
        using HttpFile file = Open();
        Read(file, 1_000_000, 1);
        _server.Modified = "Sat, 28 Nov 2026 10:00:01 GMT";
        Assert.Contains("its time of change is another one", Assert.Throws<Qcow2Exception>(() => Read(file, 2_000_000, 1)).Message, StringComparison.Ordinal);
    }

    public static TheoryData<Qcow2ErrorCode, string, Action<HttpTestReply>> Lies => new()
    {
        { Qcow2ErrorCode.RangesNotSupported, "as a whole only", reply => (reply.Status, reply.Headers["Content-Range"]) = ("200 OK", "") },
        { Qcow2ErrorCode.RangesNotSupported, "does not say how long", reply => reply.Headers["Content-Range"] = "bytes 0-65535/*" },
        { Qcow2ErrorCode.RangesNotSupported, "neither an ETag nor a time of change", reply => reply.Headers["ETag"] = "" },
        { Qcow2ErrorCode.HttpRequestFailed, "does not say which part", reply => reply.Headers["Content-Range"] = "" },
        { Qcow2ErrorCode.HttpRequestFailed, "does not say which part", reply => reply.Headers["Content-Range"] = "multipart nonsense" },
        { Qcow2ErrorCode.HttpRequestFailed, "1 to 65536", reply => reply.Headers["Content-Range"] = "bytes 1-65536/3000001" },
        { Qcow2ErrorCode.HttpRequestFailed, "0 to 100", reply => reply.Headers["Content-Range"] = "bytes 0-100/3000001" },
        { Qcow2ErrorCode.HttpRequestFailed, "it says that it has 10", reply => (reply.Body, reply.Headers["Content-Length"]) = ([1, 2, 3], "10") },
        { Qcow2ErrorCode.HttpRequestFailed, "encoded (gzip)", reply => reply.Headers["Content-Encoding"] = "gzip" },
        { Qcow2ErrorCode.HttpRequestFailed, "is said to have 9223372036854775807 bytes", reply => reply.Headers["Content-Range"] = "bytes 0-65535/9223372036854775807" },
        { Qcow2ErrorCode.HttpRequestFailed, "does not say which part", reply => reply.Headers["Content-Range"] = "bytes 0-65535/99999999999999999999999" },
        { Qcow2ErrorCode.HttpRequestFailed, "refuses the first bytes", reply => reply.Status = "416 Range Not Satisfiable" },
        { Qcow2ErrorCode.HttpRequestFailed, "leads nowhere", reply => reply.Status = "302 Found" },
        { Qcow2ErrorCode.HttpRequestFailed, "only https and http are read", reply => (reply.Status, reply.Headers["Location"]) = ("302 Found", "file:///etc/passwd") },
        { Qcow2ErrorCode.HttpRequestFailed, "user's name or password", reply => (reply.Status, reply.Headers["Location"]) = ("302 Found", "http://me:secret@127.0.0.1/") },
        { Qcow2ErrorCode.HttpRequestFailed, "redirects again and again; 10 times", reply => (reply.Status, reply.Headers["Location"]) = ("302 Found", "/again") },
    };

    [Theory, MemberData(nameof(Lies))]
    public void Is_not_deceived_by_a_first_answer(Qcow2ErrorCode code, string what, Action<HttpTestReply> lie)
    {
        _server.Answer = (_, reply) => Changed(reply, lie);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open());
        Assert.Equal(code, error.Code);
        Assert.Contains(what, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", error.Message, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(Lies))]
    public void Is_not_deceived_later(Qcow2ErrorCode code, string what, Action<HttpTestReply> lie)
    {
        _ = what;
        using HttpFile file = Open();
        _server.Answer = (_, reply) => Changed(reply, lie);
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => file.Read(Page, new byte[10]));
        Assert.Contains(error.Code, new[] { code, Qcow2ErrorCode.SourceChanged, Qcow2ErrorCode.HttpRequestFailed });
    }

    [Fact]
    public void Takes_the_bytes_that_were_asked_for_of_an_endless_answer()
    {
        _server.Answer = (_, reply) => Changed(reply, changed => (changed.IsChunked, changed.IsEndless) = (true, true));
        using HttpFile file = Open();
        Assert.Equal(Expected(0, 100_000), Read(file, 0, 100_000));
        Assert.Equal(2 * Page, file.BytesReceived);
    }

    [Fact]
    public void Reads_an_empty_file_and_one_that_is_shorter_than_a_page()
    {
        _server.Content = [];
        using (HttpFile file = Open())
        {
            Assert.Equal((0, 0), (file.Length, file.Read(0, new byte[10])));
        }

        _server.Content = [1, 2, 3];
        using (HttpFile file = Open())
        {
            Assert.Equal(3, file.Length);
            Assert.Equal([2, 3], Read(file, 1, 10));
        }
    }

    [Fact]
    public void Remembers_where_a_redirect_led_and_asks_anew_when_that_has_expired()
    {
        int signature = 0;
        int valid = 0;
        _server.Answer = (request, reply) =>
        {
            if (request.Target == "/disk.img")
            {
                valid = ++signature;
                return Redirect($"/store?signature={valid}");
            }

            return request.Target == $"/store?signature={valid}" ? reply : Busy("403 Forbidden");
        };
        using HttpFile file = Open();
        Read(file, 1_000_000, 1);
        valid = 0;
        Read(file, 2_000_000, 1);
        Assert.Equal(
            ["/disk.img", "/store?signature=1", "/store?signature=1", "/store?signature=1", "/disk.img", "/store?signature=2"],
            _server.Requests.Select(request => request.Target));
    }

    [Fact]
    public void Gives_no_secret_to_another_server()
    {
        using var other = new HttpTestServer(_server.Content);
        _server.Answer = (_, _) => Redirect(other.Address().ToString());
        HttpFileOptions options = Quick with
        {
            Headers = [new("X-Api-Key", "k"), new("Cookie", "c=1")],
            Authorization = "Bearer t",
            AllowUnencryptedAuthentication = true,
            UserAgent = "me",
        };
        using HttpFile file = Open(options);
        IReadOnlyDictionary<string, string> asked = _server.Requests.Single().Headers;
        Assert.Equal(("k", "c=1", "Bearer t", "me"), (asked["x-api-key"], asked["cookie"], asked["authorization"], asked["user-agent"]));
        IReadOnlyDictionary<string, string> elsewhere = other.Requests.Single().Headers;
        Assert.Equal("me", elsewhere["user-agent"]);
        Assert.DoesNotContain(elsewhere.Keys, name => name is "x-api-key" or "cookie" or "authorization");
    }

    [Fact]
    public void Answers_a_challenge_of_the_server_alone()
    {
        using var other = new HttpTestServer(_server.Content) { Answer = (_, _) => Challenge() };
        HttpFileOptions options = Quick with { Credential = new NetworkCredential("me", "word"), AllowUnencryptedAuthentication = true };
        _server.Answer = (request, reply) => request.Headers.ContainsKey("authorization") ? reply : Challenge();
        using (Open(options))
        {
            Assert.Equal("Basic bWU6d29yZA==", _server.Requests.Last().Headers["authorization"]);
        }

        _server.Answer = (_, _) => Redirect(other.Address().ToString());
        Assert.Contains("wants to know who asks", Assert.Throws<Qcow2Exception>(() => Open(options)).Message, StringComparison.Ordinal);
        Assert.DoesNotContain(other.Requests, request => request.Headers.ContainsKey("authorization"));
    }

    [Fact]
    public void Sends_no_secret_unencrypted_unless_told_to()
    {
        foreach (HttpFileOptions options in new[]
        {
            Quick with { Credential = new NetworkCredential("me", "word") },
            Quick with { UseDefaultCredentials = true },
            Quick with { Authorization = "Bearer t" },
            Quick with { Headers = [new("authorization", "t")] },
        })
        {
            Assert.Contains("https", Assert.Throws<Qcow2Exception>(() => Open(options)).Message, StringComparison.Ordinal);
        }

        Assert.Empty(_server.Requests);
    }

    [Theory]
    [InlineData("Range", "bytes=0-1")]
    [InlineData("accept-encoding", "gzip")]
    [InlineData("If-None-Match", "x")]
    [InlineData("X-A", "b\r\nX-C: d")]
    [InlineData("X A", "b")]
    [InlineData("", "b")]
    public void Sends_no_header_that_would_change_what_an_answer_is(string name, string value)
        => Assert.Throws<ArgumentException>(() => Open(Quick with { Headers = [new(name, value)] }));

    [Fact]
    public void Does_not_wait_for_a_server_without_end()
    {
        _server.Answer = (request, reply) => Changed(reply, changed =>
        {
            changed.Delay = TimeSpan.FromSeconds(request.Number == 1 ? 60 : 0);
            changed.Stall = request.Number == 2 ? (500, TimeSpan.FromSeconds(60)) : null;
        });
        using HttpFile file = Open(Quick with { ResponseTimeout = TimeSpan.FromSeconds(4), StallTimeout = TimeSpan.FromSeconds(4) });
        Assert.Equal(Expected(0, 1000), Read(file, 0, 1000));
        Assert.Equal([(0L, Page - 1L), (0L, Page - 1L), (500L, Page - 1L)], _server.Requests.Select(request => request.Range!.Value));
    }

    [Fact]
    public async Task Is_stopped_while_it_waits()
    {
        using var stop = new CancellationTokenSource();
        using HttpFile file = Open(cancellationToken: stop.Token);
        _server.Answer = (_, reply) => Changed(reply, changed => changed.Delay = TimeSpan.FromSeconds(120));
        Task reading = Task.Run(() => Read(file, 1_000_000, 1));
        Task other = Task.Run(() => Read(file, 2_000_000, 1));
        await Task.Delay(50);
        Assert.False(reading.IsCompleted);
        stop.Cancel();
        Assert.Same(reading, await Task.WhenAny(reading, Task.Delay(30_000)));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => other);
    }

    [Fact]
    public async Task Lets_go_who_waits_when_it_is_closed()
    {
        using HttpFile file = Open();
        _server.Answer = (_, reply) => Changed(reply, changed => changed.Delay = TimeSpan.FromSeconds(120));
        Task reading = Task.Run(() => Read(file, 1_000_000, 1));
        await Task.Delay(50);
        file.Dispose();
        Assert.Same(reading, await Task.WhenAny(reading, Task.Delay(30_000)));
        await Assert.ThrowsAnyAsync<ObjectDisposedException>(() => reading);
    }

    [Fact]
    public void Says_at_once_that_nobody_answers()
    {
        _server.Dispose();
        Qcow2Exception error = Assert.Throws<Qcow2Exception>(() => Open(Quick with { RetryInterval = TimeSpan.FromMinutes(1) }));
        Assert.Contains($"Nothing answers at 127.0.0.1, port {_server.Port}.", error.Message, StringComparison.Ordinal);
    }

    internal static HttpTestReply Changed(HttpTestReply reply, Action<HttpTestReply> change)
    {
        change(reply);
        return reply;
    }

    internal static HttpTestReply Busy(string status) => Changed(new HttpTestReply { Status = status }, reply => reply.Headers["Retry-After"] = "0");

    private static HttpTestReply Redirect(string target) => Changed(new HttpTestReply { Status = "302 Found" }, reply => reply.Headers["Location"] = target);

    private static HttpTestReply Challenge() => Changed(new HttpTestReply { Status = "401 Unauthorized" }, reply => reply.Headers["WWW-Authenticate"] = "Basic realm=\"x\"");
}
