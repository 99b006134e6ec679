using System.Buffers.Binary;

namespace Qcow2.Engine.Nbd;

/// <summary>Does one request after the other, for one thread: what it needs for that is used again.</summary>
internal sealed class NbdWork(NbdConnection connection, NbdServer server)
{
    /// <summary>Most data of one chunk: a reply of several is sent while its rest is read, and takes no more memory than this.</summary>
    internal const int MaxChunkData = 1 << 20;

    private const int MaxStatusBytes = 64 * 1024;
    private const int MaxExtents = 1 << 20; // Of one request, however little they lead to.
    private const long MaxStep = 128L << 20; // Of zeros and discards, between two looks at whether anybody waits for it.

    private readonly byte[] _head = new byte[64];
    private readonly NbdSegments _segments = new();
    private readonly NbdExport _export = server.Export;
    private readonly NbdFragments _fragments = new();
    private readonly NbdFileRuns? _runs = connection.CanSendFiles ? NbdFileRuns.Of(server.Export) : null;
    private NbdRequest _request;
    private NbdError _refusal;
    private byte[]? _buffer;

    private bool IsStructured => connection.Session.Structured;

    private VirtualDisk Disk => _export.Disk;

    private long Offset => (long)_request.Offset;

    /// <summary>Takes a request, with the data that follow it.</summary>
    /// <returns>False if the connection is to be closed.</returns>
    internal bool TryTake(in NbdRequest request, NbdChannel channel)
    {
        _request = request;
        _refusal = Refusal();
        if (request.Command != NbdCommand.Write || request.Length == 0)
        {
            return true;
        }

        if (request.Length > NbdConstants.MaxPayload)
        {
            return false;
        }

        int length = (int)request.Length;
        if (_refusal != NbdError.None)
        {
            return channel.TrySkip(length);
        }

        _buffer = server.Buffers.Take(length, connection.IsWanted);
        return _buffer is not null && channel.TryReceiveRest(_buffer, NbdBuffers.Headroom, length);
    }

    /// <summary>Does what was asked, and replies.</summary>
    internal void Do()
    {
        NbdError error = _refusal;
        if (error == NbdError.None)
        {
            try
            {
                if (Perform())
                {
                    return; // The reply has been sent.
                }
            }
#pragma warning disable CA1031 // Whatever goes wrong with the disk is the error of this request; the next one may go well.
            catch (Exception e)
#pragma warning restore CA1031
            {
                server.OnProblem(e);
                error = NbdErrors.Of(e);
            }
        }

        Complete(error);
    }

    /// <summary>Gives back what the request took.</summary>
    internal void Release()
    {
        if (_buffer is not null)
        {
            server.Buffers.Return(_buffer);
            _buffer = null;
        }
    }

    /// <summary>What is wrong with a request by itself.</summary>
    private NbdError Refusal()
    {
        NbdCommandFlags allowed = NbdCommandFlags.Fua | _request.Command switch
        {
            NbdCommand.Read when IsStructured => NbdCommandFlags.DoNotFragment,
            NbdCommand.WriteZeroes => NbdCommandFlags.NoHole,
            NbdCommand.BlockStatus => NbdCommandFlags.ReqOne,
            _ => NbdCommandFlags.None,
        };
        if ((_request.Flags & ~allowed) != 0)
        {
            return NbdError.Invalid;
        }

        bool isInside = _request.IsInside(_export.Length);
        switch (_request.Command)
        {
            case NbdCommand.Read:
                return isInside && _request.Length <= NbdConstants.MaxPayload ? NbdError.None : NbdError.Invalid;
            case NbdCommand.Write or NbdCommand.WriteZeroes:
                return !_export.IsWritable ? NbdError.NotPermitted : isInside ? NbdError.None : NbdError.NoSpace;
            case NbdCommand.Trim:
                return !_export.IsWritable ? NbdError.NotPermitted : isInside ? NbdError.None : NbdError.Invalid;
            case NbdCommand.BlockStatus:
                return isInside && _request.Length > 0 && connection.Session.Contexts.Count > 0 ? NbdError.None : NbdError.Invalid;
            case NbdCommand.Flush:
                return NbdError.None;
            default:
                return NbdError.Invalid;
        }
    }

    /// <summary>Does the request.</summary>
    /// <returns>Whether the reply has been sent.</returns>
    private bool Perform()
    {
        switch (_request.Command)
        {
            case NbdCommand.Read when _request.Length > 0:
                Read();
                return true;
            case NbdCommand.BlockStatus:
                DescribeBlocks();
                return true;
            case NbdCommand.Write when _buffer is not null:
                Disk.Write(Offset, _buffer.AsSpan(NbdBuffers.Headroom, (int)_request.Length));
                server.CountWritten(_request.Length);
                break;
            case NbdCommand.WriteZeroes:
                InSteps((offset, length) => NbdZeroes.Write(Disk, offset, length, isProvisioned: (_request.Flags & NbdCommandFlags.NoHole) != 0, connection.IsWanted));
                break;
            case NbdCommand.Trim:
                InSteps(Disk.Discard);
                break;
            case NbdCommand.Flush when _export.IsWritable:
                Disk.Flush();
                break;
            default:
                break;
        }

        if ((_request.Flags & NbdCommandFlags.Fua) != 0 && _request.Command is NbdCommand.Write or NbdCommand.WriteZeroes or NbdCommand.Trim)
        {
            Disk.Flush();
        }

        return false;
    }

    /// <summary>Does a long range by parts that end where the clusters of any format do.</summary>
    private void InSteps(Action<long, long> step)
    {
        long end = Offset + _request.Length;
        for (long offset = Offset; offset < end && connection.IsWanted();)
        {
            long next = Math.Min(end, (offset + MaxStep) & ~(MaxStep - 1));
            step(offset, next - offset);
            offset = next;
        }
    }

    private void Read()
    {
        int total = (int)_request.Length;
        bool mayFragment = IsStructured && (_request.Flags & NbdCommandFlags.DoNotFragment) == 0;
        int most = mayFragment ? Math.Min(total, MaxChunkData) : total;
        for (int done = 0; done < total;)
        {
            int count = Math.Min(most, total - done);
            if (mayFragment && _runs is not null && _runs.Find(Offset + done, count) is NbdFileRun run)
            {
                NbdReply.WriteDataHead(_head, _request.Cookie, Offset + done, run.Length, isLast: done + run.Length == total);
                server.CountRead(run.Length);
                connection.Send(_head, NbdReply.DataHeadBytes, run.File, run.Offset, run.Length);
                done += run.Length;
                if (!connection.IsWanted())
                {
                    return;
                }

                continue;
            }

            _buffer ??= server.Buffers.Take(most, connection.IsWanted);
            if (_buffer is null)
            {
                return;
            }

            ReadExactly(Offset + done, _buffer.AsSpan(NbdBuffers.Headroom, count));
            _segments.Begin(_buffer);
            if (mayFragment)
            {
                _fragments.Lay(_segments, _request.Cookie, Offset + done, count, isEnd: done + count == total);
            }
            else if (IsStructured)
            {
                NbdReply.WriteDataHead(_buffer.AsSpan(NbdBuffers.Headroom - NbdReply.DataHeadBytes), _request.Cookie, Offset, count, isLast: true);
                _segments.Add(NbdBuffers.Headroom - NbdReply.DataHeadBytes, NbdReply.DataHeadBytes + count);
            }
            else
            {
                NbdReply.WriteSimple(_buffer.AsSpan(NbdBuffers.Headroom - NbdConstants.SimpleReplyBytes), NbdError.None, _request.Cookie);
                _segments.Add(NbdBuffers.Headroom - NbdConstants.SimpleReplyBytes, NbdConstants.SimpleReplyBytes + count);
            }

            server.CountRead(count);
            connection.Send(_segments);
            done += count;
            if (!connection.IsWanted())
            {
                return;
            }
        }
    }

    private void ReadExactly(long offset, Span<byte> buffer)
    {
        if (Disk.Read(offset, buffer) < buffer.Length)
        {
            throw new IOException($"{Disk.Path}: the disk has become smaller than it was when it was opened.");
        }
    }

    private void DescribeBlocks()
    {
        _buffer = server.Buffers.Take(MaxStatusBytes, connection.IsWanted);
        IReadOnlyList<(uint Id, NbdContext Context)> contexts = connection.Session.Contexts;
        for (int i = 0; i < contexts.Count && _buffer is not null; i++)
        {
            const int First = NbdConstants.ChunkBytes + sizeof(uint);
            int length = First;
            foreach (NbdStatus status in Joined(contexts[i].Context))
            {
                BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(length), (uint)status.Length);
                BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(length + sizeof(uint)), status.Flags);
                length += 2 * sizeof(uint);
                if ((_request.Flags & NbdCommandFlags.ReqOne) != 0 || length + (2 * sizeof(uint)) > MaxStatusBytes)
                {
                    break;
                }
            }

            NbdReply.WriteChunk(_buffer, NbdChunk.BlockStatus, _request.Cookie, length - NbdConstants.ChunkBytes, isLast: i == contexts.Count - 1);
            BinaryPrimitives.WriteUInt32BigEndian(_buffer.AsSpan(NbdConstants.ChunkBytes), contexts[i].Id);
            _segments.Begin(_buffer);
            _segments.Add(0, length);
            connection.Send(_segments);
        }
    }

    /// <summary>What a context says, with what is alike in one; perhaps not to the end of the request.</summary>
    private IEnumerable<NbdStatus> Joined(NbdContext context)
    {
        NbdStatus pending = default;
        int seen = 0;
        foreach (NbdStatus status in context.Describe(Offset, _request.Length))
        {
            if (pending.Length > 0 && pending.Flags != status.Flags)
            {
                yield return pending;
                pending = status;
            }
            else
            {
                pending = new NbdStatus(pending.Length + status.Length, status.Flags);
            }

            if (++seen == MaxExtents)
            {
                break;
            }
        }

        yield return pending;
    }

    /// <summary>The reply to what has no data.</summary>
    private void Complete(NbdError error)
    {
        int length = NbdConstants.SimpleReplyBytes;
        if (!IsStructured)
        {
            NbdReply.WriteSimple(_head, error, _request.Cookie);
        }
        else if (error != NbdError.None)
        {
            length = NbdReply.WriteErrorChunk(_head, error, _request.Cookie);
        }
        else
        {
            length = NbdConstants.ChunkBytes;
            NbdReply.WriteChunk(_head, NbdChunk.None, _request.Cookie, 0, isLast: true);
        }

        _segments.Begin(_head);
        _segments.Add(0, length);
        connection.Send(_segments);
    }
}
