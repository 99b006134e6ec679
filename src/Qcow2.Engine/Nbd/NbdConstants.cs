namespace Qcow2.Engine.Nbd;

/// <summary>Numbers of the protocol that open its messages, and its limits (NBD protocol, "Protocol phases" and "Size constraints").</summary>
internal static class NbdConstants
{
    internal const ulong InitPassword = 0x4e42_444d_4147_4943; // "NBDMAGIC"
    internal const ulong OptionMagic = 0x4948_4156_454f_5054; // "IHAVEOPT"
    internal const ulong OptionReplyMagic = 0x0003_e889_0455_65a9;
    internal const uint RequestMagic = 0x2560_9513;
    internal const uint SimpleReplyMagic = 0x6744_6698;
    internal const uint StructuredReplyMagic = 0x668e_33ef;

    /// <summary>What a server must take at least, and a client expects it to; no more is taken here.</summary>
    internal const int MaxPayload = 32 << 20;

    /// <summary>The smallest block that is read or written well, as the protocol has it where nothing is said.</summary>
    internal const int PreferredBlockSize = 4096;

    /// <summary>Reserved bytes after the flags that answer <see cref="NbdOption.ExportName"/>, unless both sides can do without.</summary>
    internal const int ExportNamePadding = 124;

    internal const int RequestBytes = 28;
    internal const int OptionBytes = 16;
    internal const int SimpleReplyBytes = 16;
    internal const int ChunkBytes = 20;

    /// <summary>The last chunk of a reply (NBD_REPLY_FLAG_DONE).</summary>
    internal const ushort Done = 1;

    internal const string AllocationContext = "base:allocation";
    internal const string DepthContext = "qemu:allocation-depth";
    internal const string BitmapContextPrefix = "qemu:dirty-bitmap:";
}

/// <summary>What the server says of itself first.</summary>
[Flags]
internal enum NbdHandshakeFlags : ushort
{
    FixedNewstyle = 1,
    NoZeroes = 2,
}

/// <summary>What the server says of the export.</summary>
[Flags]
internal enum NbdTransmissionFlags : ushort
{
    HasFlags = 1 << 0,
    ReadOnly = 1 << 1,
    SendFlush = 1 << 2,
    SendFua = 1 << 3,
    SendTrim = 1 << 5,
    SendWriteZeroes = 1 << 6,
    SendDf = 1 << 7,
    CanMultiConn = 1 << 8,
}

/// <summary>What a client asks for before it reads and writes.</summary>
internal enum NbdOption : uint
{
    ExportName = 1,
    Abort = 2,
    List = 3,
    StartTls = 5,
    Info = 6,
    Go = 7,
    StructuredReply = 8,
    ListMetaContext = 9,
    SetMetaContext = 10,
}

/// <summary>What an option is answered with.</summary>
internal enum NbdOptionReply : uint
{
    Ack = 1,
    Server = 2,
    Info = 3,
    MetaContext = 4,
    ErrorUnsupported = 0x8000_0001,
    ErrorPolicy = 0x8000_0002,
    ErrorInvalid = 0x8000_0003,
    ErrorTlsRequired = 0x8000_0005,
    ErrorUnknown = 0x8000_0006,
    ErrorShutdown = 0x8000_0007,
    ErrorTooBig = 0x8000_0009,
}

/// <summary>What can be said of an export.</summary>
internal enum NbdInfo : ushort
{
    Export = 0,
    Name = 1,
    Description = 2,
    BlockSize = 3,
}

/// <summary>What is asked of an export.</summary>
internal enum NbdCommand : ushort
{
    Read = 0,
    Write = 1,
    Disconnect = 2,
    Flush = 3,
    Trim = 4,
    WriteZeroes = 6,
    BlockStatus = 7,
}

/// <summary>How it is to be done.</summary>
[Flags]
internal enum NbdCommandFlags : ushort
{
    None = 0,
    Fua = 1 << 0,
    NoHole = 1 << 1,
    DoNotFragment = 1 << 2,
    ReqOne = 1 << 3,
}

/// <summary>What a chunk of a structured reply is.</summary>
internal enum NbdChunk : ushort
{
    None = 0,
    OffsetData = 1,
    OffsetHole = 2,
    BlockStatus = 5,
    Error = 0x8001,
}

/// <summary>Why a request failed.</summary>
internal enum NbdError : uint
{
    None = 0,
    NotPermitted = 1,
    InputOutput = 5,
    NoMemory = 12,
    Invalid = 22,
    NoSpace = 28,
    Shutdown = 108,
}
