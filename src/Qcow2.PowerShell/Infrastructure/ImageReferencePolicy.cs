namespace Qcow2.PowerShell;

/// <summary>Which files a cmdlet may open because an image names them: backing files and external data files.</summary>
public enum ImageReferencePolicy
{
    /// <summary>Any local file. For images whose origin is trusted.</summary>
    Follow,

    /// <summary>None.</summary>
    Forbid,

    /// <summary>Files that lie in one folder or below it, after symbolic links are resolved.</summary>
    Confine,
}
