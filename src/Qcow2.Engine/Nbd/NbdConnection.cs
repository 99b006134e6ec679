using System.Diagnostics;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// One client. Its threads take turns: each receives a request, does what it asks, sends the reply and comes back for another, so that
/// requests are done side by side and nothing is handed from one thread to another. There are no more threads than requests that came while
/// others were being done.
/// </summary>
internal sealed class NbdConnection
{
    private const int ThreadStackBytes = 512 * 1024;
    private const int LookMilliseconds = 5;

    private readonly NbdChannel _channel;
    private readonly NbdServer _server;
    private readonly object _receiveGate = new();
    private readonly object _sendGate = new();
    private readonly object _gate = new();
    private readonly byte[] _requestBytes = new byte[NbdConstants.RequestBytes];
    private readonly long _begun = Stopwatch.GetTimestamp();
    private volatile bool _isEnding;
    private volatile bool _isBroken;
    private int _threads = 1;
    private int _idle;
    private int _inFlight;

    internal NbdConnection(NbdChannel channel, NbdServer server)
    {
        _channel = channel;
        _server = server;
        IsWanted = () => !_isBroken;
        Session = new NbdSession(Structured: false, []);
    }

    /// <summary>What was agreed on.</summary>
    internal NbdSession Session { get; private set; }

    /// <summary>Whether client and server have agreed, so that requests can come.</summary>
    internal bool IsServing { get; private set; }

    /// <summary>Asked by what takes long: whether anybody is there still to get the reply.</summary>
    internal Func<bool> IsWanted { get; }

    /// <summary>How long ago the client came.</summary>
    internal TimeSpan Age => TimeSpan.FromSeconds((Stopwatch.GetTimestamp() - _begun) / (double)Stopwatch.Frequency);

    /// <summary>Whether the client keeps a message from going on, and with it memory in use.</summary>
    internal bool IsStalled(TimeSpan time) => _channel.IsStalled(time);

    /// <summary>Starts serving, on threads of its own.</summary>
    internal void Start() => StartThread(RunFirst);

    /// <summary>Lets the requests that came be done and the client take the replies, and takes no more. Called again until it is done.</summary>
    internal void End()
    {
        lock (_gate)
        {
            _isEnding = true;
            if (_inFlight > 0)
            {
                return;
            }
        }

        if (_channel.HasLetGoOfFiles())
        {
            Abort(); // Or a thread would wait for the next request.
        }
    }

    /// <summary>Closes the connection whatever goes on.</summary>
    internal void Abort()
    {
        _isEnding = _isBroken = true;
        _channel.Dispose();
    }

    /// <summary>Sends pieces of a buffer, one after the other. Nothing that another thread sends comes between them.</summary>
    internal void Send(NbdSegments segments)
    {
        bool isSent = true;
        lock (_sendGate)
        {
            for (int i = 0; i < segments.Count && isSent; i++)
            {
                (int start, int length) = segments[i];
                isSent = _channel.TrySend(segments.Buffer, start, length);
            }
        }

        if (!isSent)
        {
            Abort();
        }
    }

    /// <summary>Whether files can be sent that nobody writes.</summary>
    internal bool CanSendFiles => _channel.CanSendFiles;

    /// <summary>Sends a head, and behind it what lies in a file.</summary>
    /// <exception cref="IOException">The file could not be read. The connection is closed: nothing makes sense to the client that comes in place of the data.</exception>
    internal void Send(byte[] head, int headLength, LocalFile file, long offset, int count)
    {
        bool isSent = false;
        lock (_sendGate)
        {
            try
            {
                isSent = _channel.TrySend(head, 0, headLength) && _channel.TrySendFile(file, offset, count);
            }
            finally
            {
                if (!isSent)
                {
                    Abort(); // Before another thread sends anything.
                }
            }
        }
    }

    private static void StartThread(ThreadStart work)
        => new Thread(work, ThreadStackBytes) { IsBackground = true, Name = "Qcow2 NBD client" }.Start();

    private void RunFirst() => Run(() =>
    {
        var handshake = new NbdHandshake(_channel, _server.Export, _server.Tls, () => _server.IsStopping);
        if (handshake.Run() is NbdSession session)
        {
            Session = session;
            IsServing = true;
            _server.OnServing();
            Serve();
        }
        else if (handshake.TlsProblem is Exception problem)
        {
            _server.OnRefused(problem);
        }
    });

    private void RunNext() => Run(Serve);

    private void Run(Action work)
    {
        try
        {
            work();
        }
#pragma warning disable CA1031 // An exception that left a thread would end the process. This client's connection ends.
        catch (Exception e)
#pragma warning restore CA1031
        {
            _server.OnProblem(e);
            Abort();
        }
        finally
        {
            if (Interlocked.Decrement(ref _threads) == 0)
            {
                WaitForClient();
                _channel.Close();
                _server.OnEnded(this);
            }
        }
    }

    /// <summary>Where the server ends, the files are let go of after this, so that others may write them.</summary>
    private void WaitForClient()
    {
        while (_server.IsStopping && !_isBroken && !_channel.HasLetGoOfFiles())
        {
            Thread.Sleep(LookMilliseconds);
        }
    }

    private void Serve()
    {
        var work = new NbdWork(this, _server);
        while (TryReceive(work))
        {
            try
            {
                work.Do();
            }
            finally
            {
                work.Release();
                Finish();
            }
        }
    }

    private bool TryReceive(NbdWork work)
    {
        Interlocked.Increment(ref _idle);
        bool isReceived;
        lock (_receiveGate)
        {
            isReceived = !_isEnding && TryReceiveOne(work);
            _isEnding |= !isReceived; // Those that wait for their turn have nothing to wait for.
        }

        Interlocked.Decrement(ref _idle);
        if (isReceived)
        {
            ReplaceThread();
        }

        return isReceived;
    }

    private bool TryReceiveOne(NbdWork work)
    {
        if (!_channel.TryReceive(_requestBytes, 0, _requestBytes.Length)
            || !NbdRequest.TryParse(_requestBytes, out NbdRequest request)
            || request.Command == NbdCommand.Disconnect
            || !TryBegin())
        {
            return false;
        }

        if (work.TryTake(request, _channel))
        {
            return true;
        }

        work.Release();
        Finish();
        return false;
    }

    private bool TryBegin()
    {
        lock (_gate)
        {
            _inFlight += _isEnding ? 0 : 1;
            return !_isEnding;
        }
    }

    private void Finish()
    {
        bool isLast;
        lock (_gate)
        {
            isLast = --_inFlight == 0 && _isEnding;
        }

        if (isLast)
        {
            End(); // Where the server ends, a thread waits for the next request.
        }
    }

    /// <summary>Lets another thread receive while this one works.</summary>
    private void ReplaceThread()
    {
        if (Volatile.Read(ref _idle) > 0 || Volatile.Read(ref _threads) >= _server.ThreadsPerClient)
        {
            return;
        }

        Interlocked.Increment(ref _threads);
        try
        {
            StartThread(RunNext);
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            Interlocked.Decrement(ref _threads); // Those that there are do all the work.
        }
    }
}
