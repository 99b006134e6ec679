using System.Collections;
using System.Management.Automation;
using System.Net;
using System.Security;
using System.Text;
using Qcow2.Engine.Http;
using Qcow2.Engine.Storage;
using Qcow2.PowerShell.Operations;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>A cmdlet that also reads images that lie on a server, without downloading them. Its parameters are called as those of <c>Invoke-WebRequest</c>.</summary>
public abstract class WebCmdlet : PackedCmdlet
{
    private HttpFileOptions? _access;
    private ExpectedHash? _hash;

    /// <summary>
    /// The addresses of images on a server, <c>https</c> or <c>http</c>. What is needed of an image is asked for in parts: to look at it takes some hundred KiB of any size of image, and a
    /// conversion needs no copy. The file must stay the same meanwhile, which is seen to. What such an image names, a backing file or a data file, is never opened.
    /// </summary>
    [Parameter(ParameterSetName = UriSet, Mandatory = true, ValueFromPipelineByPropertyName = true)]
    [ValidateNotNullOrEmpty]
    public Uri[] Uri { get; set; } = [];

    /// <summary>Headers to send, such as those with a key: <c>@{ 'X-Api-Key' = $key }</c>. They go to the server that the address names, and to no other one to which it redirects.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNull]
    public IDictionary? Headers { get; set; }

    /// <summary>What the program is called to the server.</summary>
    /// <value>Qcow2</value>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNullOrEmpty]
    public string? UserAgent { get; set; }

    /// <summary>
    /// How to say who asks before the server wants to know: <c>Basic</c> with <c>-Credential</c>, <c>Bearer</c> or <c>OAuth</c> with <c>-Token</c>. By default <c>-Credential</c> waits until the
    /// server asks, and in which way.
    /// </summary>
    [Parameter(ParameterSetName = UriSet)]
    public WebAuthentication Authentication { get; set; }

    /// <summary>The token of <c>-Authentication Bearer</c> or <c>OAuth</c>.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNull]
    public SecureString? Token { get; set; }

    /// <summary>A user's name and password for the server. No other server gets them, and without <c>-AllowUnencryptedAuthentication</c> they do not go over <c>http</c>.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [Credential]
    public PSCredential? Credential { get; set; }

    /// <summary>Says to the server who the current user is, where it asks for that (Kerberos, NTLM).</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter UseDefaultCredentials { get; set; }

    /// <summary>Lets passwords and tokens go over <c>http</c>, where everybody on the way can read them.</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter AllowUnencryptedAuthentication { get; set; }

    /// <summary>The proxy. By default it is the system's.</summary>
    /// <value>The system's</value>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNull]
    public Uri? Proxy { get; set; }

    /// <summary>A user's name and password for the proxy of <c>-Proxy</c>.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [Credential]
    public PSCredential? ProxyCredential { get; set; }

    /// <summary>Says to the proxy of <c>-Proxy</c> who the current user is.</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter ProxyUseDefaultCredentials { get; set; }

    /// <summary>Asks the server itself, and no proxy.</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter NoProxy { get; set; }

    /// <summary>Takes any certificate of the server. Whoever is on the way can then change what is read; <c>-ExpectedHash</c> would tell.</summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter SkipCertificateCheck { get; set; }

    /// <summary>
    /// How often a request is repeated that failed for a reason that may pass: a connection that was cut, a server that is busy. What came before a cut is not asked for again; whenever much
    /// has come, the count begins anew.
    /// </summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateRange(0, 1000)]
    public int MaximumRetryCount { get; set; } = HttpFileOptions.Default.MaxRetryCount;

    /// <summary>Seconds before the first repetition. Each further pause is twice as long as the last, up to 30 seconds or this.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateRange(1, 3600)]
    public int RetryIntervalSec { get; set; } = (int)HttpFileOptions.Default.RetryInterval.TotalSeconds;

    /// <summary>Seconds that the server may take to begin an answer.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [Alias("TimeoutSec")]
    [ValidateRange(1, 86_400)]
    public int ConnectionTimeoutSeconds { get; set; } = (int)HttpFileOptions.Default.ResponseTimeout.TotalSeconds;

    /// <summary>Seconds for which nothing may come in the midst of an answer, before the rest is asked for anew.</summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateRange(1, 86_400)]
    public int OperationTimeoutSeconds { get; set; } = (int)HttpFileOptions.Default.StallTimeout.TotalSeconds;

    /// <summary>
    /// Downloads the whole file first where the server does not give parts of it, into a temporary file that only you can read and that is gone when the command ends: in the folder of the
    /// destination, or else in that for temporary files. Without it such a server is an error.
    /// </summary>
    [Parameter(ParameterSetName = UriSet)]
    public SwitchParameter AllowDownload { get; set; }

    /// <summary>
    /// The published hash of the file at the address: the 64 hexadecimal digits of its SHA-256, or the 128 of its SHA-512, with or without <c>sha256:</c> before them. Because an image is read
    /// in parts and not to its end, all of it is downloaded for that first, as with <c>-AllowDownload</c>, and nothing is done with a file that has another hash.
    /// </summary>
    [Parameter(ParameterSetName = UriSet)]
    [ValidateNotNullOrEmpty]
    public string? ExpectedHash { get; set; }

    /// <summary>Whether the images lie on a server.</summary>
    private protected bool IsWeb => ParameterSetName == UriSet;

    /// <inheritdoc/>
    protected override void BeginProcessing()
    {
        base.BeginProcessing();
        if (!IsWeb)
        {
            return;
        }

        Refuse(
            ConfineTo is not null || (ReferencePolicy != ImageReferencePolicy.Forbid && MyInvocation.BoundParameters.ContainsKey(nameof(ReferencePolicy))),
            "What an image on a server names is never opened, so that -Uri goes with -ReferencePolicy Forbid only.", nameof(ReferencePolicy));
        Refuse(NoProxy && Proxy is not null, "-NoProxy asks no proxy; leave out -Proxy.", nameof(NoProxy));
        Refuse(Proxy is null && (ProxyCredential is not null || ProxyUseDefaultCredentials), "-ProxyCredential and -ProxyUseDefaultCredentials go with -Proxy.", nameof(Proxy));
        Refuse(ProxyCredential is not null && ProxyUseDefaultCredentials, "-ProxyCredential and -ProxyUseDefaultCredentials exclude each other.", nameof(ProxyCredential));
        Refuse(Credential is not null && UseDefaultCredentials, "-Credential and -UseDefaultCredentials exclude each other.", nameof(Credential));
        bool isByToken = Authentication is WebAuthentication.Bearer or WebAuthentication.OAuth;
        Refuse(isByToken != Token is not null, "-Token goes with -Authentication Bearer or OAuth, and they with it.", nameof(Token));
        Refuse(Authentication == WebAuthentication.Basic && Credential is null, "-Authentication Basic goes with -Credential.", nameof(Credential));
        Refuse(Uri.Any(TellsAll), SecretOverHttp, nameof(AllowUnencryptedAuthentication));
        try
        {
            _hash = ExpectedHash is null ? null : Engine.Storage.ExpectedHash.Parse(ExpectedHash);
        }
        catch (FormatException e)
        {
            Refuse(true, $"-ExpectedHash: {e.Message}", nameof(ExpectedHash));
        }

        _access = Access();
    }

    /// <inheritdoc/>
    private protected override IReadOnlyList<Uri> Addresses => Uri;

    /// <inheritdoc/>
    private protected override ImageLocation LocationOf(Uri address)
        => HttpAddress.ProblemOf(address) is string problem
            ? throw new ImageCmdletException("UriInvalid", ErrorCategory.InvalidArgument, $"{HttpAddress.Show(address)}: {problem}")
            : TellsAll(address) ? throw new ImageCmdletException("ParameterConflict", ErrorCategory.InvalidArgument, $"{HttpAddress.Show(address)}: {SecretOverHttp}") // It came down the pipeline.
            : new WebImage(address, _access!, _hash, AllowDownload || _hash is not null ? TemporaryFolder : null, StopToken);

    /// <summary>Ends the cmdlet because of parameters that exclude each other.</summary>
    private protected void Refuse(bool isWrong, string message, string? parameter)
    {
        if (isWrong)
        {
            ThrowTerminatingError(new ErrorRecord(new PSArgumentException(message, parameter), "ParameterConflict", ErrorCategory.InvalidArgument, parameter));
        }
    }

    private const string SecretOverHttp
        = "Passwords and tokens would go over http, where everybody on the way can read them. Use the https address, or -AllowUnencryptedAuthentication if that is meant.";

    private bool TellsAll(Uri address)
        => (Credential is not null || UseDefaultCredentials || Token is not null || HasAuthorization) && !AllowUnencryptedAuthentication
            && address.IsAbsoluteUri && address.Scheme == System.Uri.UriSchemeHttp;

    private bool HasAuthorization => Headers?.Keys.Cast<object>().Any(key => string.Equals(key.ToString(), "Authorization", StringComparison.OrdinalIgnoreCase)) == true;

    private HttpFileOptions Access() => new()
    {
        Headers = Headers is null ? [] : [.. Headers.Cast<DictionaryEntry>().Select(header => new KeyValuePair<string, string>(header.Key.ToString() ?? "", header.Value?.ToString() ?? ""))],
        UserAgent = UserAgent,
        Authorization = Authentication switch
        {
            WebAuthentication.Basic => $"Basic {Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Credential!.UserName}:{Credential.GetNetworkCredential().Password}"))}",
            WebAuthentication.Bearer or WebAuthentication.OAuth => $"Bearer {new NetworkCredential("", Token).Password}",
            _ => null,
        },
        Credential = Authentication == WebAuthentication.Basic ? null : Credential?.GetNetworkCredential(),
        UseDefaultCredentials = UseDefaultCredentials,
        AllowUnencryptedAuthentication = AllowUnencryptedAuthentication,
        UseProxy = !NoProxy,
        Proxy = Proxy is null ? null : new WebProxy(Proxy)
        {
            UseDefaultCredentials = ProxyUseDefaultCredentials,
            Credentials = ProxyCredential?.GetNetworkCredential() ?? (ProxyUseDefaultCredentials ? CredentialCache.DefaultNetworkCredentials : null),
        },
        SkipCertificateCheck = SkipCertificateCheck,
        MaxRetryCount = MaximumRetryCount,
        RetryInterval = TimeSpan.FromSeconds(RetryIntervalSec),
        ResponseTimeout = TimeSpan.FromSeconds(ConnectionTimeoutSeconds),
        StallTimeout = TimeSpan.FromSeconds(OperationTimeoutSeconds),
    };
}
