using System.Diagnostics;
using System.Runtime.ExceptionServices;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// Serves a disk to programs that speak NBD: to QEMU and its tools, to libnbd's, to the kernel of Linux. It works on threads of its own until it
/// is stopped, and closes the disk then.
/// </summary>
/// <remarks>
/// The protocol is that of the NetworkBlockDevice project (doc/proto.md): the fixed newstyle negotiation, simple and structured replies, the
/// status of blocks. Without TLS (<see cref="NbdServerOptions.Tls"/>) there is neither encryption nor authentication: whoever reaches the server has
/// the disk.
/// </remarks>
public sealed class NbdServer : IDisposable
{
    private static readonly TimeSpan Look = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan HostPatience = TimeSpan.FromMinutes(1);

    private readonly NbdListener _listener;
    private readonly NbdServerOptions _options;
    private readonly HashSet<NbdConnection> _connections = [];
    private readonly ManualResetEventSlim _ended = new();
    private volatile bool _isStopping;
    private volatile bool _isHurried;
    private volatile bool _hadClient;
    private long _graceEnd;
    private long _read;
    private long _written;
    private ExceptionDispatchInfo? _failure;
    private string? _lastProblem;
    private string? _lastRefusal;

    private NbdServer(NbdListener listener, NbdExport export, NbdServerOptions options)
    {
        _listener = listener;
        Export = export;
        _options = options;
        Buffers = new NbdBuffers(options.MaxBufferBytes);
        Uri = listener.UriOf(export.Name, options.Tls is not null);
    }

    /// <summary>What clients connect to: <c>nbd://…</c> or <c>nbd+unix:///…?socket=…</c>, with TLS <c>nbds://…</c> or <c>nbds+unix:///…</c>.</summary>
    public string Uri { get; }

    /// <summary>Clients that are being served.</summary>
    public int ClientCount
    {
        get
        {
            lock (_connections)
            {
                return _connections.Count(connection => connection.IsServing);
            }
        }
    }

    /// <summary>Bytes that clients have read.</summary>
    public long BytesRead => Interlocked.Read(ref _read);

    /// <summary>Bytes that clients have written.</summary>
    public long BytesWritten => Interlocked.Read(ref _written);

    /// <summary>What last went wrong with the disk, of which clients are told a number only; or else why it last came to no TLS with a client. Null for nothing.</summary>
    public string? LastProblem => Volatile.Read(ref _lastProblem) ?? Volatile.Read(ref _lastRefusal);

    /// <summary>Whether the server has ended, and the disk is closed.</summary>
    public bool HasEnded => _ended.IsSet;

    /// <summary>Whether the disk could not be flushed and closed, and nobody has been told yet: <see cref="Stop"/> does.</summary>
    public bool HasFailed => Volatile.Read(ref _failure) is not null;

    internal NbdExport Export { get; }

    internal NbdBuffers Buffers { get; }

    internal NbdTls? Tls => _options.Tls;

    internal bool IsStopping => _isStopping;

    internal int ThreadsPerClient => _options.MaxRequestsPerClient;

    /// <summary>Starts serving.</summary>
    /// <param name="listener">Where clients connect; the server closes it.</param>
    /// <param name="export">What they get; the server closes it.</param>
    /// <param name="options">How they are treated; null for <see cref="NbdServerOptions.Default"/>.</param>
    public static NbdServer Start(NbdListener listener, NbdExport export, NbdServerOptions? options = null)
    {
        var server = new NbdServer(listener, export, options ?? NbdServerOptions.Default);
        try
        {
            new Thread(server.Run) { IsBackground = true, Name = "Qcow2 NBD server" }.Start();
        }
        catch
        {
            listener.Dispose();
            export.Dispose();
            throw;
        }

        return server;
    }

    /// <summary>Ends the server: no client is let in, requests that came are done, all that was written is flushed, and the disk is closed.</summary>
    /// <param name="grace">How long to wait for requests, and for clients to take the replies, before connections are cut.</param>
    /// <param name="cancellationToken">Cuts the connections at once. The disk is closed all the same.</param>
    /// <exception cref="IOException">The disk could not be flushed and closed.</exception>
    public void Stop(TimeSpan grace, CancellationToken cancellationToken = default)
    {
        Volatile.Write(ref _graceEnd, Stopwatch.GetTimestamp() + (long)(grace.TotalSeconds * Stopwatch.Frequency));
        _isStopping = true;
        using (cancellationToken.Register(() => _isHurried = true))
        {
            _ended.Wait(CancellationToken.None);
        }

        Interlocked.Exchange(ref _failure, null)?.Throw();
    }

    /// <summary>Waits for the server to end.</summary>
    /// <param name="time">How long at most.</param>
    /// <returns>Whether it has ended.</returns>
    public bool WaitForEnd(TimeSpan time) => _ended.Wait(time);

    /// <summary>Ends the server, without much patience for its clients.</summary>
    public void Dispose() => Stop(TimeSpan.FromSeconds(1));

    internal void CountRead(int bytes) => Interlocked.Add(ref _read, bytes);

    internal void CountWritten(long bytes) => Interlocked.Add(ref _written, bytes);

    internal void OnServing() => _hadClient = true;

    internal void OnProblem(Exception problem) => Volatile.Write(ref _lastProblem, problem.Message);

    /// <summary>Any stranger can bring this about, so it covers nothing that went wrong with the disk.</summary>
    internal void OnRefused(Exception problem) => Volatile.Write(ref _lastRefusal, $"A client did not come to TLS: {problem.GetBaseException().Message}");

    internal void OnEnded(NbdConnection connection)
    {
        lock (_connections)
        {
            _connections.Remove(connection);
            if (_connections.Count == 0)
            {
                Buffers.Trim();
            }

            Monitor.PulseAll(_connections);
        }
    }

    private void Run()
    {
        try
        {
            while (!_isStopping)
            {
                if (_listener.TryAccept(Look) is NbdChannel channel)
                {
                    Welcome(channel);
                }

                Tidy();
            }
        }
#pragma warning disable CA1031 // Told to whoever stops the server.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Fail(e);
        }

        End();
    }

    private void Welcome(NbdChannel channel)
    {
        NbdConnection? connection = null;
        lock (_connections)
        {
            if (_connections.Count < _options.MaxClients)
            {
                connection = new NbdConnection(channel, this);
                _connections.Add(connection);
            }
        }

        if (connection is null)
        {
            channel.Dispose();
            return;
        }

        try
        {
            connection.Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            OnProblem(e);
            channel.Dispose();
            OnEnded(connection);
        }
    }

    /// <summary>Closes connections that keep others from being served, and ends the server that nobody needs any more.</summary>
    private void Tidy()
    {
        bool isShort = Buffers.Shortage > _options.StallTimeout;
        NbdConnection[] hindering;
        lock (_connections)
        {
            _isStopping |= _options.StopAfterLastClient && _hadClient && _connections.Count == 0;
            hindering = [.. _connections.Where(connection => (!connection.IsServing && connection.Age > _options.HandshakeTimeout) || (isShort && connection.IsStalled(_options.StallTimeout)))];
        }

        foreach (NbdConnection connection in hindering)
        {
            connection.Abort();
        }
    }

    private void End()
    {
        _isStopping = true;
        _listener.Dispose();
        WaitForConnections(
            () => _isHurried || Stopwatch.GetTimestamp() > Volatile.Read(ref _graceEnd),
            () => ForEachConnection(connection => connection.End()));
        ForEachConnection(connection => connection.Abort());
        Buffers.Close();

        // What a thread does with the disk has to end before the disk is closed under it.
        long limit = Stopwatch.GetTimestamp() + (long)(HostPatience.TotalSeconds * Stopwatch.Frequency);
        WaitForConnections(() => Stopwatch.GetTimestamp() > limit);
        try
        {
            lock (_connections)
            {
                if (_connections.Count > 0)
                {
                    throw new IOException($"{Export.Disk.Path}: the host has not answered for {HostPatience.TotalSeconds} seconds, so that the disk cannot be closed.");
                }
            }

            Export.Dispose();
        }
#pragma warning disable CA1031 // Told to whoever stops the server.
        catch (Exception e)
#pragma warning restore CA1031
        {
            Fail(e);
        }
        finally
        {
            _ended.Set();
        }
    }

    private void Fail(Exception failure)
    {
        OnProblem(failure);
        Interlocked.CompareExchange(ref _failure, ExceptionDispatchInfo.Capture(failure), null);
    }

    private void ForEachConnection(Action<NbdConnection> action)
    {
        NbdConnection[] all;
        lock (_connections)
        {
            all = [.. _connections];
        }

        foreach (NbdConnection connection in all)
        {
            action(connection);
        }
    }

    /// <summary>Waits until all connections have ended.</summary>
    /// <param name="isEnough">Asked now and then: whether to wait no more.</param>
    /// <param name="endThem">Done first, and each time again.</param>
    private void WaitForConnections(Func<bool> isEnough, Action? endThem = null)
    {
        while (true)
        {
            endThem?.Invoke();
            lock (_connections)
            {
                if (_connections.Count == 0 || isEnough())
                {
                    return;
                }

                Monitor.Wait(_connections, Look);
            }
        }
    }
}
