namespace Qcow2.Engine.Storage;

/// <summary>Whether two files are one.</summary>
public enum FileSameness
{
    /// <summary>They are two.</summary>
    Different,

    /// <summary>They are one: what is read from or written to the one is read from or written to the other.</summary>
    Same,

    /// <summary>
    /// The host does not say enough, as of files on a network share that are reached by two names. Nothing may be left out because
    /// they might be the same, and nothing refused because of it.
    /// </summary>
    Unknown,
}

/// <summary>
/// What the host says of which file a file is, whatever it is called. There is no equality: whoever compares two has to decide
/// what an unknown answer means to them.
/// </summary>
public readonly struct FileIdentity
{
    private readonly ulong _device;
    private readonly ulong _file;
    private readonly WindowsFileFacts? _facts;

    /// <summary>An identity by two numbers that are the same only for one and the same file, as Linux and macOS have.</summary>
    /// <param name="device">The device that the file lies on.</param>
    /// <param name="file">The file on it.</param>
    public FileIdentity(ulong device, ulong file)
    {
        _device = device;
        _file = file;
        _facts = null;
    }

    internal FileIdentity(WindowsFileFacts facts)
    {
        _device = 0;
        _file = 0;
        _facts = facts;
    }

    /// <summary>Whether this is the same file as another.</summary>
    /// <param name="other">The identity of the other.</param>
    public FileSameness SamenessTo(FileIdentity other) => (_facts, other._facts) switch
    {
        (WindowsFileFacts facts, WindowsFileFacts others) => facts.SamenessTo(others),
        (null, null) => _device == other._device && _file == other._file ? FileSameness.Same : FileSameness.Different,
        _ => FileSameness.Different,
    };

    /// <summary>Whether this is the same file as another beyond doubt.</summary>
    /// <param name="other">The identity of the other.</param>
    public bool IsProvenSameAs(FileIdentity other) => SamenessTo(other) == FileSameness.Same;
}
