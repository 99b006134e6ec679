using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Qcow2.Tests;

/// <summary>What a client asked for.</summary>
/// <param name="Number">Which request it is, from 1.</param>
/// <param name="Target">Path and query.</param>
/// <param name="Headers">The headers, by their names in lower case.</param>
public sealed record HttpTestRequest(int Number, string Target, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>The range that is asked for; null for all.</summary>
    public (long First, long Last)? Range
    {
        get
        {
            if (!Headers.TryGetValue("range", out string? range))
            {
                return null;
            }

            string[] ends = range.Substring("bytes=".Length).Split('-');
            return (long.Parse(ends[0], CultureInfo.InvariantCulture), long.Parse(ends[1], CultureInfo.InvariantCulture));
        }
    }
}

/// <summary>An answer, which need not be an honest one.</summary>
public sealed class HttpTestReply
{
    public string Status { get; set; } = "200 OK";

    public Dictionary<string, string> Headers { get; } = new(StringComparer.OrdinalIgnoreCase);

    public byte[] Body { get; set; } = [];

    /// <summary>The connection is cut after so many bytes of the body; null for never.</summary>
    public int? CutAfter { get; set; }

    /// <summary>What is waited for before the head is sent.</summary>
    public TimeSpan Delay { get; set; }

    /// <summary>So many bytes of the body are sent, and then nothing for a while.</summary>
    public (int After, TimeSpan For)? Stall { get; set; }

    /// <summary>Whether the body is repeated without end.</summary>
    public bool IsEndless { get; set; }

    /// <summary>Whether the body is sent in chunks.</summary>
    public bool IsChunked { get; set; }
}

/// <summary>A server of one file on loopback, over raw sockets, so that it can lie as no library would let it.</summary>
public sealed class HttpTestServer : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, bool> _clients = new();
    private int _requests;
    private int _now;
    private volatile bool _isOver;

    public HttpTestServer(byte[] content)
    {
        Content = content;
        _listener.Start(100);
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        Start(Accept);
    }

    public int Port { get; }

    /// <summary>What the file holds now.</summary>
    public byte[] Content { get; set; }

    public string? Tag { get; set; } = "\"first\"";

    public string? Modified { get; set; }

    /// <summary>Changes an honest answer into another one; null to leave all as they are. Called by many threads.</summary>
    public Func<HttpTestRequest, HttpTestReply, HttpTestReply>? Answer { get; set; }

    /// <summary>All that was asked for.</summary>
    public ConcurrentQueue<HttpTestRequest> Requests { get; } = new();

    /// <summary>Most requests that were answered at one time.</summary>
    public int MostAtOnce { get; private set; }

    /// <summary>Bytes of all ranges that were asked for.</summary>
    public long BytesAsked => Requests.Sum(request => request.Range is (long first, long last) ? Math.Min(last, Content.Length - 1) - first + 1 : Content.Length);

    public Uri Address(string target = "/disk.img") => new($"http://127.0.0.1:{Port}{target}");

    public void Dispose()
    {
        _isOver = true;
        _listener.Stop();
        foreach (TcpClient client in _clients.Keys)
        {
            client.Close();
        }
    }

    /// <summary>The honest answer to a request.</summary>
    public HttpTestReply Honest(HttpTestRequest request)
    {
        byte[] content = Content;
        var reply = new HttpTestReply { Body = content };
        if (request.Range is (long first, long last))
        {
            last = Math.Min(last, content.Length - 1);
            if (first > last)
            {
                reply.Status = "416 Range Not Satisfiable";
                reply.Headers["Content-Range"] = $"bytes */{content.Length}";
                reply.Body = [];
                return reply;
            }

            reply.Status = "206 Partial Content";
            reply.Headers["Content-Range"] = $"bytes {first}-{last}/{content.Length}";
            reply.Body = content.AsSpan((int)first, (int)(last - first + 1)).ToArray();
        }

        if (Tag is not null)
        {
            reply.Headers["ETag"] = Tag;
        }

        if (Modified is not null)
        {
            reply.Headers["Last-Modified"] = Modified;
        }

        return reply;
    }

    private static void Start(Action work) => new Thread(() => work()) { IsBackground = true }.Start();

    private void Accept()
    {
        while (!_isOver)
        {
            try
            {
                TcpClient client = _listener.AcceptTcpClient();
                client.NoDelay = true;
                _clients[client] = true;
                Start(() => Serve(client));
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException or InvalidOperationException)
            {
                return;
            }
        }
    }

    private void Serve(TcpClient client)
    {
        try
        {
            NetworkStream stream = client.GetStream();
            while (!_isOver && Receive(stream) is HttpTestRequest request)
            {
                Requests.Enqueue(request);
                lock (_clients)
                {
                    MostAtOnce = Math.Max(MostAtOnce, ++_now);
                }

                try
                {
                    HttpTestReply honest = Honest(request);
                    if (!Send(stream, Answer?.Invoke(request, honest) ?? honest))
                    {
                        return;
                    }
                }
                finally
                {
                    lock (_clients)
                    {
                        _now--;
                    }
                }
            }
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException)
        {
            // The client has gone, or the test is over.
        }
        finally
        {
            _clients.TryRemove(client, out _);
            client.Close();
        }
    }

    private HttpTestRequest? Receive(NetworkStream stream)
    {
        var head = new List<byte>();
        while (head.Count < 4 || head[head.Count - 4] != '\r' || head[head.Count - 3] != '\n' || head[head.Count - 2] != '\r' || head[head.Count - 1] != '\n')
        {
            int next = stream.ReadByte();
            if (next < 0)
            {
                return null;
            }

            head.Add((byte)next);
        }

        string[] lines = Encoding.ASCII.GetString([.. head]).Split(["\r\n"], StringSplitOptions.RemoveEmptyEntries);
        var headers = lines.Skip(1).Select(line => line.Split([':'], 2)).ToDictionary(parts => parts[0].ToLowerInvariant(), parts => parts[1].Trim());
        return new HttpTestRequest(Interlocked.Increment(ref _requests), lines[0].Split(' ')[1], headers);
    }

    private bool Send(NetworkStream stream, HttpTestReply reply)
    {
        Thread.Sleep(reply.Delay);
        var head = new StringBuilder($"HTTP/1.1 {reply.Status}\r\n");
        if (reply.IsChunked)
        {
            head.Append("Transfer-Encoding: chunked\r\n");
        }
        else if (!reply.Headers.ContainsKey("Content-Length"))
        {
            head.Append("Content-Length: ").Append(reply.Body.Length).Append("\r\n");
        }

        foreach (KeyValuePair<string, string> header in reply.Headers)
        {
            if (header.Value.Length > 0)
            {
                head.Append(header.Key).Append(": ").Append(header.Value).Append("\r\n");
            }
        }

        byte[] bytes = Encoding.ASCII.GetBytes(head.Append("\r\n").ToString());
        stream.Write(bytes, 0, bytes.Length);
        int length = Math.Min(reply.Body.Length, reply.CutAfter ?? int.MaxValue);
        do
        {
            int before = Math.Min(length, reply.Stall?.After ?? length);
            Write(stream, reply, 0, before);
            if (reply.Stall is (int after, TimeSpan time) && after <= length)
            {
                Thread.Sleep(time);
                Write(stream, reply, before, length - before);
            }
        }
        while (reply.IsEndless && !_isOver);
        if (reply.CutAfter is not null)
        {
            return false;
        }

        if (reply.IsChunked)
        {
            stream.Write(Encoding.ASCII.GetBytes("0\r\n\r\n"), 0, 5);
        }

        // A length that is not the body's leaves nothing to be understood on this connection, and so does none.
        return reply.IsChunked || !reply.Headers.TryGetValue("Content-Length", out string? said) || said == reply.Body.Length.ToString(CultureInfo.InvariantCulture);
    }

    private static void Write(NetworkStream stream, HttpTestReply reply, int offset, int count)
    {
        if (reply.IsChunked && count > 0)
        {
            byte[] size = Encoding.ASCII.GetBytes($"{count:x}\r\n");
            stream.Write(size, 0, size.Length);
        }

        stream.Write(reply.Body, offset, count);
        if (reply.IsChunked && count > 0)
        {
            stream.Write(Encoding.ASCII.GetBytes("\r\n"), 0, 2);
        }
    }
}
