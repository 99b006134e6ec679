using System.Diagnostics;
using System.Net.Security;
using System.Net.Sockets;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Nbd;

/// <summary>
/// The bytes of one connection, by blocking calls: one thread receives at a time and one sends. What arrives in small pieces is received at
/// once. An end, an error and a closed socket are one thing, that there is nothing more. From some point on all of it may go through TLS.
/// </summary>
internal sealed class NbdChannel(Socket socket) : IDisposable
{
    private const int FullMicroseconds = 100_000;

    private readonly byte[] _received = new byte[8192];
    private int _start;
    private int _end;
    private long _sendingSince;
    private long _receivingSince;
    private SslStream? _tls;
    private volatile bool _hasSentFiles;

    /// <summary>
    /// Goes over to TLS. A client may say nothing between asking for it and the answer: what came meanwhile, perhaps from somebody in between, would be
    /// taken for what was said through TLS. It is looked for here, where it can lie; what comes later TLS itself does not understand.
    /// </summary>
    /// <returns>False if there is such a thing.</returns>
    /// <exception cref="Exception">It came to nothing: see <see cref="NbdTls.Agree"/>.</exception>
    internal bool TryStartTls(NbdTls tls)
    {
        if (_start < _end)
        {
            return false;
        }

        _tls = tls.Agree(socket);
        return true;
    }

    /// <summary>Receives all of what is asked for.</summary>
    /// <returns>False if there is no more.</returns>
    internal bool TryReceive(byte[] buffer, int offset, int count)
    {
        while (count > 0)
        {
            if (_start < _end)
            {
                int ready = Math.Min(count, _end - _start);
                Buffer.BlockCopy(_received, _start, buffer, offset, ready);
                _start += ready;
                offset += ready;
                count -= ready;
                continue;
            }

            if (count >= _received.Length)
            {
                int direct = Receive(buffer, offset, count);
                if (direct == 0)
                {
                    return false;
                }

                offset += direct;
                count -= direct;
                continue;
            }

            _start = 0;
            _end = Receive(_received, 0, _received.Length);
            if (_end == 0)
            {
                return false;
            }
        }

        return true;
    }

    /// <summary>Receives what belongs to a message that has begun: whoever sent its head and not the rest keeps memory in use.</summary>
    internal bool TryReceiveRest(byte[] buffer, int offset, int count)
    {
        Volatile.Write(ref _receivingSince, Stopwatch.GetTimestamp());
        try
        {
            return TryReceive(buffer, offset, count);
        }
        finally
        {
            Volatile.Write(ref _receivingSince, 0);
        }
    }

    /// <summary>Receives bytes that nobody wants.</summary>
    internal bool TrySkip(long count)
    {
        if (count == 0)
        {
            return true;
        }

        byte[] nowhere = new byte[(int)Math.Min(count, 65_536)];
        Volatile.Write(ref _receivingSince, Stopwatch.GetTimestamp());
        try
        {
            for (; count > 0; count -= nowhere.Length)
            {
                if (!TryReceive(nowhere, 0, (int)Math.Min(count, nowhere.Length)))
                {
                    return false;
                }
            }

            return true;
        }
        finally
        {
            Volatile.Write(ref _receivingSince, 0);
        }
    }

    internal bool TrySend(byte[] buffer, int offset, int count)
    {
        Volatile.Write(ref _sendingSince, Stopwatch.GetTimestamp());
        try
        {
            while (count > 0)
            {
                int sent = Send(buffer, offset, count);
                offset += sent;
                count -= sent;
            }

            return true;
        }
        catch (Exception e) when (IsEnd(e))
        {
            return false;
        }
        finally
        {
            Volatile.Write(ref _sendingSince, 0);
        }
    }

    /// <summary>
    /// Whether the host can send files to the client, once it is clear whether all goes through TLS, of which the host knows nothing. Not through TCP, which does not say when the other side
    /// has taken something.
    /// </summary>
    internal bool CanSendFiles => SocketSending.IsAvailable && _tls is null && socket.AddressFamily == AddressFamily.Unix;

    /// <summary>Has the host send a range of a file, which nobody may write.</summary>
    /// <returns>False if the client has left.</returns>
    /// <exception cref="IOException">The file has ended, or could not be read: the client got less than it was told, and cannot be told otherwise.</exception>
    internal bool TrySendFile(LocalFile file, long offset, long count)
    {
        Volatile.Write(ref _sendingSince, Stopwatch.GetTimestamp());
        _hasSentFiles = true;
        try
        {
            while (count > 0)
            {
                long sent = SocketSending.Send(socket, file, offset, count, out bool isFull);
                if (isFull)
                {
                    socket.Poll(FullMicroseconds, SelectMode.SelectWrite);
                    continue;
                }

                if (sent <= 0)
                {
                    return false;
                }

                offset += sent;
                count -= sent;
            }

            return true;
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            return false; // Not where it is the file.
        }
        finally
        {
            Volatile.Write(ref _sendingSince, 0);
        }
    }

    /// <summary>Whether the client has all that the host sent it of files, which can be let go of then.</summary>
    internal bool HasLetGoOfFiles()
    {
        try
        {
            return !_hasSentFiles || SocketSending.IsTaken(socket);
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }

    /// <summary>Whether the client has been keeping a message from going on for that long.</summary>
    internal bool IsStalled(TimeSpan time)
    {
        long limit = Stopwatch.GetTimestamp() - (long)(time.TotalSeconds * Stopwatch.Frequency);
        return IsBefore(Volatile.Read(ref _sendingSince)) || IsBefore(Volatile.Read(ref _receivingSince));

        bool IsBefore(long since) => since != 0 && since < limit;
    }

    /// <summary>Takes leave of the client, if that can be done at once. Only when nobody uses the channel any more.</summary>
    internal void Close()
    {
#if NET
        try
        {
            _ = _tls?.ShutdownAsync(); // A client that takes nothing is not waited for.
        }
        catch (Exception e) when (IsEnd(e))
        {
            // It was cut off, or has left itself.
        }

#endif
        _tls?.Dispose();
        socket.Dispose();
    }

    /// <summary>Cuts the client off, whatever goes on; other threads may be sending and receiving.</summary>
    public void Dispose() => socket.Dispose();

    private static bool IsEnd(Exception e) => e is SocketException or IOException or InvalidOperationException; // The last also of what was closed.

    private int Send(byte[] buffer, int offset, int count)
    {
        if (_tls is null)
        {
            return socket.Send(buffer, offset, count, SocketFlags.None);
        }

        _tls.Write(buffer, offset, count);
        return count;
    }

    private int Receive(byte[] buffer, int offset, int count)
    {
        try
        {
            return _tls?.Read(buffer, offset, count) ?? socket.Receive(buffer, offset, count, SocketFlags.None);
        }
        catch (Exception e) when (IsEnd(e))
        {
            return 0;
        }
    }
}
