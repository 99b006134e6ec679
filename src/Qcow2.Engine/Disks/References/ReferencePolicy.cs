namespace Qcow2.Engine;

/// <summary>
/// What may be opened because an image's header names it: backing files and external data files. An image from an
/// untrusted source can name any file of the host, so a service confines or forbids it.
/// </summary>
public abstract record ReferencePolicy
{
    private ReferencePolicy()
    {
    }

    /// <summary>Open whatever local file the image names. For images whose origin is trusted.</summary>
    public static ReferencePolicy Follow { get; } = new FollowPolicy();

    /// <summary>Open nothing but the image itself.</summary>
    public static ReferencePolicy Forbid { get; } = new ForbidPolicy();

    /// <summary>Open only files that lie in a folder or below it, after symbolic links are resolved.</summary>
    /// <param name="folder">The folder; a relative path is taken from the process's current directory.</param>
    public static ReferencePolicy Confine(string folder) => new ConfinePolicy(System.IO.Path.GetFullPath(folder));

    internal sealed record FollowPolicy : ReferencePolicy;

    internal sealed record ForbidPolicy : ReferencePolicy;

    internal sealed record ConfinePolicy(string Folder) : ReferencePolicy;
}
