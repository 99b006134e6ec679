using System.Buffers.Binary;
using System.ComponentModel;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Text;

namespace Qcow2.Engine.Nbd;

/// <summary>What client and server agreed on before the first request.</summary>
/// <param name="Structured">Whether replies are structured.</param>
/// <param name="Contexts">What a client that asks for the status of blocks is told, by the numbers that it knows them by.</param>
internal sealed record NbdSession(bool Structured, IReadOnlyList<(uint Id, NbdContext Context)> Contexts);

/// <summary>
/// The fixed newstyle negotiation. Nothing that a client says here takes more than <see cref="MaxOptionBytes"/>, and it may say
/// <see cref="MaxOptions"/> things; the server ends what takes too long.
/// </summary>
internal sealed class NbdHandshake(NbdChannel channel, NbdExport export, NbdTls? tls, Func<bool> isStopping)
{
    /// <summary>Most data of an option that is looked at.</summary>
    internal const int MaxOptionBytes = 64 * 1024;

    /// <summary>Most data of an option that is passed over; a client that sends more means no good.</summary>
    internal const int MaxSkippedBytes = 32 << 20;

    /// <summary>Most options of one client.</summary>
    internal const int MaxOptions = 256;

    private static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly byte[] _head = new byte[NbdConstants.OptionBytes];
    private readonly NbdMessage _answer = new();
    private bool _hasPadding;
    private bool _structured;
    private List<(uint Id, NbdContext Context)> _contexts = [];
    private bool _isThroughTls;
    private bool _isEnded;
    private bool _isAgreed;

    /// <summary>Why it came to no TLS; null where it did, or nobody tried.</summary>
    internal Exception? TlsProblem { get; private set; }

    private bool LacksTls => tls is not null && !_isThroughTls;

    /// <summary>Agrees with the client.</summary>
    /// <returns>Null if it came to nothing: the connection is to be closed.</returns>
    internal NbdSession? Run()
    {
        _answer.Add(NbdConstants.InitPassword).Add(NbdConstants.OptionMagic).Add((ushort)(NbdHandshakeFlags.FixedNewstyle | NbdHandshakeFlags.NoZeroes));
        if (!Send() || !channel.TryReceive(_head, 0, sizeof(uint)))
        {
            return null;
        }

        uint flags = BinaryPrimitives.ReadUInt32BigEndian(_head);
        if ((flags & ~(uint)(NbdHandshakeFlags.FixedNewstyle | NbdHandshakeFlags.NoZeroes)) != 0)
        {
            return null;
        }

        if (LacksTls && (flags & (uint)NbdHandshakeFlags.FixedNewstyle) == 0)
        {
            return null; // It can ask for nothing but the disk, and must not be told that it needs TLS.
        }

        _hasPadding = (flags & (uint)NbdHandshakeFlags.NoZeroes) == 0;
        for (int i = 0; i < MaxOptions; i++)
        {
            if (!channel.TryReceive(_head, 0, NbdConstants.OptionBytes) || BinaryPrimitives.ReadUInt64BigEndian(_head) != NbdConstants.OptionMagic)
            {
                return null;
            }

            var option = (NbdOption)BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(8));
            uint length = BinaryPrimitives.ReadUInt32BigEndian(_head.AsSpan(12));
            if (length > MaxOptionBytes)
            {
                if (length > MaxSkippedBytes || option == NbdOption.ExportName || !channel.TrySkip(length))
                {
                    return null;
                }

                Reply(option, LacksTls ? NbdOptionReply.ErrorTlsRequired : NbdOptionReply.ErrorTooBig);
            }
            else
            {
                byte[] data = new byte[(int)length];
                if (!channel.TryReceive(data, 0, data.Length))
                {
                    return null;
                }

                Answer(option, data);
            }

            bool isSent = Send();
            if (!isSent || _isEnded)
            {
                return isSent && _isAgreed ? new NbdSession(_structured, _contexts) : null;
            }
        }

        return null;
    }

    private void Answer(NbdOption option, byte[] data)
    {
        if (option == NbdOption.Abort)
        {
            _isEnded = true;
            Reply(option, NbdOptionReply.Ack);
            return;
        }

        if (option == NbdOption.ExportName)
        {
            EnterByName(data);
            return;
        }

        if (LacksTls && option != NbdOption.StartTls)
        {
            Reply(option, NbdOptionReply.ErrorTlsRequired);
            return;
        }

        if (isStopping())
        {
            Reply(option, NbdOptionReply.ErrorShutdown);
            return;
        }

        switch (option)
        {
            case NbdOption.StartTls:
                StartTls(data);
                break;
            case NbdOption.List:
                List(data);
                break;
            case NbdOption.Info or NbdOption.Go:
                Describe(option, data);
                break;
            case NbdOption.StructuredReply:
                _structured |= data.Length == 0;
                Reply(option, data.Length == 0 ? NbdOptionReply.Ack : NbdOptionReply.ErrorInvalid);
                break;
            case NbdOption.ListMetaContext or NbdOption.SetMetaContext:
                SelectContexts(option, data);
                break;
            default:
                Reply(option, NbdOptionReply.ErrorUnsupported);
                break;
        }
    }

    private void StartTls(byte[] data)
    {
        if (tls is null || _isThroughTls || data.Length != 0)
        {
            Reply(NbdOption.StartTls, tls is null ? NbdOptionReply.ErrorPolicy : NbdOptionReply.ErrorInvalid);
            return;
        }

        Reply(NbdOption.StartTls, NbdOptionReply.Ack);
        try
        {
            _isThroughTls = Send() && channel.TryStartTls(tls);
        }
        catch (Exception e) when (e is AuthenticationException or IOException or InvalidOperationException or Win32Exception or CryptographicException)
        {
            TlsProblem = e;
        }

        _isEnded = !_isThroughTls;

        // Nothing counts that was agreed on in the open.
        _structured = false;
        _contexts = [];
    }

    private void EnterByName(byte[] data)
    {
        _isEnded = true;
        _isAgreed = !LacksTls && !isStopping() && export.IsCalled(Text(data));
        if (_isAgreed)
        {
            _answer.Add((ulong)export.Length).Add((ushort)export.FlagsFor(_structured)).AddZeros(_hasPadding ? NbdConstants.ExportNamePadding : 0);
        }
    }

    private void List(byte[] data)
    {
        if (data.Length != 0)
        {
            Reply(NbdOption.List, NbdOptionReply.ErrorInvalid);
            return;
        }

        byte[] name = Encoding.UTF8.GetBytes(export.Name);
        BeginReply(NbdOption.List, NbdOptionReply.Server, sizeof(uint) + name.Length).Add((uint)name.Length).Add(name);
        Reply(NbdOption.List, NbdOptionReply.Ack);
    }

    private void Describe(NbdOption option, byte[] data)
    {
        var reader = new NbdReader(data);
        if (!reader.TryReadText(out byte[] name) || !reader.TryReadUInt16(out ushort count) || reader.Left != count * sizeof(ushort))
        {
            Reply(option, NbdOptionReply.ErrorInvalid);
            return;
        }

        if (!export.IsCalled(Text(name)))
        {
            Reply(option, NbdOptionReply.ErrorUnknown);
            return;
        }

        BeginReply(option, NbdOptionReply.Info, 12).Add((ushort)NbdInfo.Export).Add((ulong)export.Length).Add((ushort)export.FlagsFor(_structured));
        var asked = new HashSet<ushort>();
        while (reader.TryReadUInt16(out ushort info))
        {
            if (asked.Add(info))
            {
                AddInfo(option, (NbdInfo)info);
            }
        }

        Reply(option, NbdOptionReply.Ack);
        _isEnded = _isAgreed = option == NbdOption.Go;
    }

    private void AddInfo(NbdOption option, NbdInfo info)
    {
        switch (info)
        {
            case NbdInfo.Name:
                byte[] name = Encoding.UTF8.GetBytes(export.Name);
                BeginReply(option, NbdOptionReply.Info, sizeof(ushort) + name.Length).Add((ushort)info).Add(name);
                break;
            case NbdInfo.BlockSize:
                BeginReply(option, NbdOptionReply.Info, 14).Add((ushort)info).Add(1u).Add((uint)NbdConstants.PreferredBlockSize).Add((uint)NbdConstants.MaxPayload);
                break;
            default:
                break; // What is not known is passed over.
        }
    }

    private void SelectContexts(NbdOption option, byte[] data)
    {
        bool isSelection = option == NbdOption.SetMetaContext;
        if (isSelection)
        {
            _contexts = []; // Also if this fails.
        }

        var reader = new NbdReader(data);
        if (!_structured || !reader.TryReadText(out byte[] name) || !reader.TryReadUInt32(out uint count) || !TryReadQueries(ref reader, count, out HashSet<string> queries))
        {
            Reply(option, NbdOptionReply.ErrorInvalid);
            return;
        }

        if (!export.IsCalled(Text(name)))
        {
            Reply(option, NbdOptionReply.ErrorUnknown);
            return;
        }

        for (int i = 0; i < export.Contexts.Count; i++)
        {
            NbdContext context = export.Contexts[i];
            if (isSelection ? queries.Contains(context.Name) : count == 0 || context.IsMeantByAny(queries))
            {
                byte[] text = Encoding.UTF8.GetBytes(context.Name);
                uint id = isSelection ? (uint)i + 1 : 0;
                BeginReply(option, NbdOptionReply.MetaContext, sizeof(uint) + text.Length).Add(id).Add(text);
                if (isSelection)
                {
                    _contexts.Add((id, context));
                }
            }
        }

        Reply(option, NbdOptionReply.Ack);
    }

    private static bool TryReadQueries(ref NbdReader reader, uint count, out HashSet<string> queries)
    {
        queries = new HashSet<string>(StringComparer.Ordinal);
        for (; count > 0; count--)
        {
            if (!reader.TryReadText(out byte[] query))
            {
                return false;
            }

            queries.Add(Text(query));
        }

        return reader.Left == 0;
    }

    /// <summary>The text, or one that nothing is called where the bytes are none.</summary>
    private static string Text(byte[] bytes)
    {
        try
        {
            return StrictUtf8.GetString(bytes);
        }
        catch (ArgumentException)
        {
            return "\0";
        }
    }

    private void Reply(NbdOption option, NbdOptionReply reply) => BeginReply(option, reply, 0);

    private NbdMessage BeginReply(NbdOption option, NbdOptionReply reply, int length)
        => _answer.Add(NbdConstants.OptionReplyMagic).Add((uint)option).Add((uint)reply).Add((uint)length);

    private bool Send()
    {
        bool isSent = channel.TrySend(_answer.Buffer, 0, _answer.Length);
        _answer.Clear();
        return isSent;
    }
}
